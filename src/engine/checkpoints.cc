#include "engine/checkpoints.h"

namespace vitrine {

std::optional<Checkpoint> CheckpointFolder::of(std::string_view model,
                                               std::string_view stage) const {
  if (minutes_ <= 0) return std::nullopt;
  std::string path = folder_ + "/" + std::string(model) + "-" + std::string(stage) + ".vta";
  return Checkpoint(files_, std::move(path), 60 * minutes_, Checkpoint::Afterwards::kKept);
}

Status CheckpointFolder::clear() const {
  const auto names = files_.list(folder_);
  if (!names.ok()) return names.error().code == Code::kNotFound ? Status() : names.error();
  for (const std::string& name : *names) {
    if (!name.ends_with(".vta") && !name.ends_with(".vta.partial")) continue;
    VT_TRY(files_.remove(folder_ + "/" + name));
  }
  return {};
}

}  // namespace vitrine
