// A snapshot: everything that training made, in one folder, immutable once published. A request pins one by
// shared_ptr. The folder's layout is in docs/formats.md: manifest.json, catalogue.vta, models/NAME.vta.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "data/catalogue.h"
#include "model/model.h"

namespace vitrine {

struct Manifest {
  std::string name;                    // "000001-1041909": number, last sequence
  std::uint64_t sequence = 0;          // the log up to here
  std::uint32_t users = 0, items = 0;  // vocabulary lengths
  std::int64_t seed = 1;
  int threads = 1;
  std::string kernels;                 // kernel level
  Timestamp last_event = kNoTime;      // "now" of the training data
  std::uint64_t events = 0;            // that were left after cleaning
  Table config;                        // complete configuration it was trained with
  Table metrics;                       // validation: model -> metric -> {mean, low, high}
  std::string champion;                // what the gate compared with; its verdict and reason
  std::string verdict;
  Value to_json() const;
  static Result<Manifest> from_json(const Value& json);
};

struct NamedModel {
  std::string name, kind;
  std::unique_ptr<const Model> model;
};

class Snapshot {
 public:
  Manifest manifest;
  std::shared_ptr<const Catalogue> catalogue;
  std::vector<NamedModel> models;
  const Model* find(std::string_view name) const;  // null when absent

  // Writes beside and renames: the folder is whole or not there.
  static Status save(FileSystem& files, const std::string& folder, const Snapshot& snapshot);
  static Result<std::shared_ptr<const Snapshot>> load(FileSystem& files, const std::string& folder);
};

}  // namespace vitrine
