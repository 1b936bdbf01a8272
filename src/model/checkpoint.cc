#include "model/checkpoint.h"

#include <utility>

namespace vitrine {
namespace {

constexpr std::string_view kKind = "checkpoint", kSuffix = ".vta";

}  // namespace

Checkpoint Checkpoint::of_part(std::string_view name) const {
  std::string path = path_;
  if (path.ends_with(kSuffix)) path.resize(path.size() - kSuffix.size());
  path += "." + std::string(name) + std::string(kSuffix);
  return {*files_, std::move(path), every_s_, afterwards_};
}

bool Checkpoint::due(double elapsed_s) {
  if (!last_s_) last_s_ = elapsed_s;
  if (elapsed_s - *last_s_ < every_s_) return false;
  last_s_ = elapsed_s;
  return true;
}

Status Checkpoint::save(std::string_view fingerprint,
                        const std::function<void(ArchiveWriter&)>& write) const {
  VT_TRY(files_->make_folder(folder_of(path_)));
  ArchiveWriter writer(*files_, path_, kKind);
  writer.document("fingerprint", std::string(fingerprint));
  write(writer);
  return writer.finish();
}

Result<std::unique_ptr<ArchiveReader>> Checkpoint::open(std::string_view fingerprint,
                                                        std::string& why) const {
  if (!file_exists(*files_, path_)) return std::unique_ptr<ArchiveReader>();
  auto reader = ArchiveReader::open(*files_, path_, kKind);
  if (!reader.ok()) {
    if (reader.error().code == Code::kIo) return reader.error();
    why = path_ + " is of no use: " + reader.error().message;
    return std::unique_ptr<ArchiveReader>();
  }
  const auto found = (*reader)->document("fingerprint");
  if (!found.ok() || found->as_string() == nullptr || *found->as_string() != fingerprint) {
    why = path_ + " is of another fit (other data, settings or seed)";
    return std::unique_ptr<ArchiveReader>();
  }
  return std::move(reader).value();
}

Status Checkpoint::remove() const {
  VT_TRY(files_->remove(path_ + ".partial"));
  return files_->remove(path_);
}

}  // namespace vitrine
