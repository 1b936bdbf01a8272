#include "engine/known_ids.h"

#include <algorithm>
#include <vector>

namespace vitrine {
namespace {

constexpr std::string_view kKind = "vocabulary";
constexpr std::uint32_t kIdsInPiece = 1 << 16;

std::string piece(std::string_view name, std::size_t i) {
  return std::string(name) + "/" + std::to_string(i);
}

Status read_ids(const ArchiveReader& reader, std::string_view name, std::uint64_t count,
                StringIndex& index) {
  for (std::size_t k = 0; reader.has(piece(name, k)); ++k) {
    VT_TRY(const auto ids, reader.strings(piece(name, k)));
    for (const std::string& id : ids) {
      const std::uint32_t next = index.size();
      if ((id.empty() ? index.add_hole() : index.add(id)) != next)
        return Error{Code::kCorrupt, "the id '" + id + "' occurs twice"};
    }
  }
  if (index.size() != count)
    return Error{Code::kCorrupt, "has another number of " + std::string(name) + " than it says"};
  return {};
}

Result<std::uint64_t> number(const Value& document, std::string_view name) {
  const Table* table = document.as_table();
  const Value* value = table == nullptr ? nullptr : table->find(name);
  const std::int64_t* found = value == nullptr ? nullptr : value->as_int();
  if (found == nullptr || *found < 0)
    return Error{Code::kCorrupt, std::string(name) + " is missing"};
  return static_cast<std::uint64_t>(*found);
}

constexpr const char* kRemedy =
    "; put the shop's log and its file `vocabulary` back from one backup";

}  // namespace

Error lacks_records_before(std::uint64_t sequence) {
  return Error{Code::kCorrupt, "the log lacks records before " + std::to_string(sequence) +
                                   ", and nothing that is left holds their ids" + kRemedy};
}

Error names_unknown_ids() {
  return Error{
      Code::kCorrupt,
      "names a user or an item that the file `vocabulary` does not hold, though it should" +
          std::string(kRemedy)};
}

void write_ids(ArchiveWriter& writer, std::string_view name, std::uint32_t count,
               const std::function<std::string(std::uint32_t)>& id) {
  for (std::uint32_t from = 0, k = 0; from < count; from += kIdsInPiece, ++k) {
    std::vector<std::string> ids;
    for (std::uint32_t i = from; i < count && i - from < kIdsInPiece; ++i) ids.push_back(id(i));
    writer.strings(piece(name, k), ids);
  }
}

Result<KnownIds> read_known_ids(const ArchiveReader& reader) {
  VT_TRY(const Value state, reader.document("state"));
  VT_TRY(const std::uint64_t users, number(state, "users"));
  VT_TRY(const std::uint64_t items, number(state, "items"));
  KnownIds known;
  VT_TRY(known.sequence, number(state, "sequence"));
  VT_TRY(read_ids(reader, "users", users, known.vocabulary.users));
  VT_TRY(read_ids(reader, "items", items, known.vocabulary.items));
  return known;
}

Result<KnownIds> load_known_ids(FileSystem& files, const std::string& path) {
  if (!file_exists(files, path)) return KnownIds{};
  VT_TRY(const auto reader, ArchiveReader::open(files, path, kKind));
  auto known = read_known_ids(*reader);
  if (!known.ok()) return known.error().prefixed(path);
  return known;
}

Status save_known_ids(FileSystem& files, const std::string& path, const KnownIds& known) {
  ArchiveWriter writer(files, path, kKind);
  const Vocabulary& ids = known.vocabulary;
  write_ids(writer, "users", ids.users.size(),
            [&](std::uint32_t i) { return std::string(ids.users.id(i)); });
  write_ids(writer, "items", ids.items.size(),
            [&](std::uint32_t i) { return std::string(ids.items.id(i)); });
  writer.document("state", Table{{"sequence", static_cast<std::int64_t>(known.sequence)},
                                 {"users", static_cast<std::int64_t>(ids.users.size())},
                                 {"items", static_cast<std::int64_t>(ids.items.size())}});
  return writer.finish();
}

Status cut_known_ids(FileSystem& files, const std::string& path, std::uint64_t last) {
  VT_TRY(KnownIds known, load_known_ids(files, path));
  if (known.sequence <= last) return {};
  known.sequence = last;
  return save_known_ids(files, path, known);
}

UserIndex KnownUsers::hole() {
  const std::uint32_t users = vocabulary_.users.size();
  while (next_ < users && !vocabulary_.users.id(next_).empty()) ++next_;
  return next_ < users ? UserIndex{next_++} : kNoUser;
}

UserIndex KnownUsers::of(std::string_view id) {
  if (const auto found = find(id)) return *found;
  const UserIndex taken = hole();
  if (taken != kNoUser) erased_.emplace(id, taken);
  return taken;
}

std::optional<UserIndex> KnownUsers::find(std::string_view id) const {
  if (const auto user = vocabulary_.user(id)) return user;
  const auto found = erased_.find(id);
  return found == erased_.end() ? std::nullopt : std::optional(found->second);
}

UserIndex KnownUsers::erase(std::string_view id) {
  if (const auto found = erased_.find(id); found != erased_.end()) erased_.erase(found);
  if (!vocabulary_.user(id)) return kNoUser;
  if (forgotten_ == kNoUser) forgotten_ = hole();
  return forgotten_;
}

}  // namespace vitrine
