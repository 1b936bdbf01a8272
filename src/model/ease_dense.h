// The dense solver of ease.h: one inverse over the items that training saw.
#pragma once

#include <memory>

#include "model/ease.h"

namespace vitrine {

std::uint64_t dense_ease_bytes(std::uint64_t items);  // of the matrix over so many items

// `mixes`: of new items (model/item_attributes.h); empty: there are none.
Result<std::unique_ptr<const Model>> fit_dense_ease(const Run& run, const EaseOptions& options,
                                                    const Interactions& interactions,
                                                    const SparseRows& mixes);
// `items`: those of the archive's options.
Result<std::unique_ptr<const Model>> load_dense_ease(ArchiveReader& reader, EaseOptions options,
                                                     std::uint32_t items);

}  // namespace vitrine
