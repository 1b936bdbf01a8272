// Data sets for benchmarks: files below the folder that VITRINE_DATA names (default: ../shared/data
// beside the sources), imported by the project's own importer.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "data/histories.h"
#include "data/import.h"

namespace vitrine {

std::string data_folder();

// One Histories per source, all over one vocabulary; paths are relative to data_folder(). Nothing
// is cleaned: these are the papers' own files.
Result<std::vector<Histories>> read_histories(const Run& run,
                                              std::span<const SourceOptions> sources);

// Every rating of MovieLens 1M as one event.
Result<Histories> read_ml1m(const Run& run);

}  // namespace vitrine
