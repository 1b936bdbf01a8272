#include "base/archive.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "base/archive_format.h"
#include "base/json.h"

namespace vitrine {

using namespace archive;  // NOLINT: the records of this format

namespace {

template <class T>
T load(std::span<const std::byte> bytes) {
  T object;
  std::memcpy(&object, bytes.data(), sizeof(T));
  return object;
}

// 0 when `type` is none of ElementType.
std::uint64_t element_size(std::uint32_t type) {
  constexpr std::uint64_t kSizes[] = {0, 1, 2, 4, 4, 8, 8, 4, 8};
  return type < std::size(kSizes) ? kSizes[type] : 0;
}

bool all_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

struct ArchiveReader::State {
  std::string path;
  std::shared_ptr<const MappedFile> file;
  std::map<std::string, Entry> entries;
  Scopes scopes;

  Error corrupt(std::string_view what) const {
    return Error{Code::kCorrupt, path + ": " + std::string(what) +
                                     "; restore this archive from a backup or train again"};
  }
  Error corrupt(std::string_view name, std::string_view what) const {
    return corrupt("'" + std::string(name) + "' " + std::string(what));
  }
  std::span<const std::byte> bytes() const { return file->bytes(); }
  std::span<const std::byte> block(const Entry& entry) const {
    return bytes().subspan(entry.offset, entry.length);
  }

  Status check_header(std::string_view kind) const;
  Result<Footer> read_footer() const;
  Status read_directory(const Footer& footer);
  Result<std::pair<std::string, Entry>> read_entry(std::span<const std::byte>& rest) const;
  Status check_entry(std::string_view name, const Entry& entry) const;
  Status check_strings(std::string_view name, const Entry& entry) const;
  Result<const Entry*> find(std::string_view name, std::uint32_t type) const;
};

Status ArchiveReader::State::check_header(std::string_view kind) const {
  if (bytes().size() < sizeof(Header) + sizeof(Footer)) return corrupt("is too short");
  const auto header = load<Header>(bytes());
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) {
    return corrupt("is not an archive of Vitrine, or its first bytes are damaged");
  }
  if (hash(bytes().first(offsetof(Header, checksum))) != header.checksum) {
    return corrupt("the header is damaged");
  }
  if (header.version != kVersion) {
    return Error{Code::kUnsupported,
                 path + ": has format version " + std::to_string(header.version) +
                     ", this program reads " + std::to_string(kVersion) +
                     "; use the version of Vitrine that wrote it or train again"};
  }
  const std::string_view found(header.kind, ::strnlen(header.kind, sizeof header.kind));
  if (found != kind) {
    return Error{Code::kInvalid, path + ": is an archive of kind '" + std::string(found) +
                                     "', expected '" + std::string(kind) + "'"};
  }
  return {};
}

Result<Footer> ArchiveReader::State::read_footer() const {
  const auto tail = bytes().last(sizeof(Footer));
  const auto footer = load<Footer>(tail);
  if (std::memcmp(footer.magic, kClosingMagic, sizeof kClosingMagic) != 0) {
    return corrupt("is cut short, or its last bytes are damaged");
  }
  if (hash(tail.first(offsetof(Footer, checksum))) != footer.checksum) {
    return corrupt("the footer is damaged");
  }
  const std::uint64_t end = bytes().size() - sizeof(Footer);
  if (footer.file_length != bytes().size()) return corrupt("does not have the length it had");
  if (footer.directory_offset < sizeof(Header) || footer.directory_offset > end ||
      footer.directory_length != end - footer.directory_offset) {
    return corrupt("the footer points outside");
  }
  return footer;
}

Result<std::pair<std::string, Entry>> ArchiveReader::State::read_entry(
    std::span<const std::byte>& rest) const {
  if (rest.size() < sizeof(EntryHead)) return corrupt("the directory ends within an entry");
  const auto head = load<EntryHead>(rest);
  if (head.name_length == 0 || head.name_length > kNameMax || head.rank > kRankMax) {
    return corrupt("an entry of the directory is malformed");
  }
  const std::size_t name_at = sizeof(EntryHead) + head.rank * sizeof(std::int64_t);
  const std::size_t name_end = name_at + head.name_length;
  const std::size_t size = aligned(name_end, 8);
  if (rest.size() < size) return corrupt("the directory ends within an entry");
  if (head.reserved != 0 || !all_zero(rest.subspan(name_end, size - name_end))) {
    return corrupt("an entry of the directory is malformed");
  }
  Entry entry{head.type, {}, head.offset, head.length, head.checksum};
  entry.shape.resize(head.rank);
  if (head.rank > 0) {
    std::memcpy(entry.shape.data(), rest.data() + sizeof(EntryHead),
                head.rank * sizeof(std::int64_t));
  }
  std::string name(as_text(rest.subspan(name_at, head.name_length)));
  rest = rest.subspan(size);
  return std::pair(std::move(name), std::move(entry));
}

// Blocks lie behind one another in the order of the directory, so that bounds, overlaps and gaps
// are one comparison with the place where the next must begin.
Status ArchiveReader::State::read_directory(const Footer& footer) {
  auto rest = bytes().subspan(footer.directory_offset, footer.directory_length);
  if (hash(rest) != footer.directory_checksum) return corrupt("the directory is damaged");
  std::uint64_t end = sizeof(Header);
  const auto check_gap = [&](std::uint64_t next) -> Status {
    if (next != aligned(end, kAlignment) || next > footer.directory_offset) {
      return corrupt("a block does not lie where it must");
    }
    if (!all_zero(bytes().subspan(end, next - end))) return corrupt("padding is damaged");
    return {};
  };
  while (!rest.empty()) {
    VT_TRY(auto named, read_entry(rest));
    const Entry& entry = named.second;
    VT_TRY(check_gap(entry.offset));
    if (entry.length > footer.directory_offset - entry.offset) {
      return corrupt(named.first, "reaches into the directory");
    }
    end = entry.offset + entry.length;
    VT_TRY(check_entry(named.first, entry));
    if (!entries.insert(std::move(named)).second) return corrupt("a name appears twice");
  }
  if (entries.size() != footer.entries) return corrupt("the directory lacks entries");
  return check_gap(footer.directory_offset);
}

Status ArchiveReader::State::check_entry(std::string_view name, const Entry& entry) const {
  if (hash(block(entry)) != entry.checksum) return corrupt(name, "is damaged");
  if (entry.type == kDocument) {
    if (!entry.shape.empty()) return corrupt(name, "is a document with a shape");
    return {};
  }
  if (entry.type == kStrings) return check_strings(name, entry);
  const std::uint64_t size = element_size(entry.type);
  std::int64_t count = 0;
  if (size == 0) return corrupt(name, "has an unknown type");
  if (!multiply(entry.shape, count) || entry.length % size != 0 ||
      entry.length / size != static_cast<std::uint64_t>(count)) {
    return corrupt(name, "has a shape that does not fit its bytes");
  }
  return {};
}

Status ArchiveReader::State::check_strings(std::string_view name, const Entry& entry) const {
  const std::uint64_t words = entry.length / sizeof(std::uint64_t);
  if (entry.shape.size() != 1 || entry.shape[0] < 0 ||
      static_cast<std::uint64_t>(entry.shape[0]) >= words) {
    return corrupt(name, "has fewer strings than it says");
  }
  const auto count = static_cast<std::uint64_t>(entry.shape[0]);
  const auto* ends = reinterpret_cast<const std::uint64_t*>(block(entry).data());
  const std::uint64_t bytes_length = entry.length - (count + 1) * sizeof(std::uint64_t);
  if (ends[0] != 0 || ends[count] != bytes_length || !std::is_sorted(ends, ends + count + 1)) {
    return corrupt(name, "holds strings that overlap");
  }
  return {};
}

Result<const Entry*> ArchiveReader::State::find(std::string_view name, std::uint32_t type) const {
  const std::string full = scopes.of(name);
  const auto found = entries.find(full);
  if (found == entries.end()) return corrupt(full, "is missing");
  if (found->second.type != type) return corrupt(full, "has another type than expected");
  return &found->second;
}

ArchiveReader::ArchiveReader() : state_(std::make_unique<State>()) {}
ArchiveReader::~ArchiveReader() = default;

Result<std::unique_ptr<ArchiveReader>> ArchiveReader::open(FileSystem& files,
                                                           const std::string& path,
                                                           std::string_view kind) {
  std::unique_ptr<ArchiveReader> reader(new ArchiveReader());
  State& state = *reader->state_;
  state.path = path;
  VT_TRY(state.file, files.map(path));
  if (reinterpret_cast<std::uintptr_t>(state.bytes().data()) % kAlignment != 0) {
    return Error{Code::kInternal, path + ": is mapped at an odd address"};
  }
  VT_TRY(state.check_header(kind));
  VT_TRY(const Footer footer, state.read_footer());
  VT_TRY(state.read_directory(footer));
  return reader;
}

Result<ArchiveReader::Raw> ArchiveReader::find_tensor(std::string_view name,
                                                      ElementType type) const {
  VT_TRY(const Entry* entry, state_->find(name, static_cast<std::uint32_t>(type)));
  return Raw{state_->file, state_->block(*entry)};
}

Result<std::vector<std::int64_t>> ArchiveReader::shape(std::string_view name) const {
  const std::string full = state_->scopes.of(name);
  const auto found = state_->entries.find(full);
  if (found == state_->entries.end()) return state_->corrupt(full, "is missing");
  return found->second.shape;
}

Result<Value> ArchiveReader::document(std::string_view name) const {
  VT_TRY(const Entry* entry, state_->find(name, kDocument));
  auto value = parse_json(as_text(state_->block(*entry)));
  if (!value.ok()) return state_->corrupt(name, "cannot be read: " + value.error().message);
  return value;
}

Result<std::vector<std::string>> ArchiveReader::strings(std::string_view name) const {
  VT_TRY(const Entry* entry, state_->find(name, kStrings));
  const auto count = static_cast<std::size_t>(entry->shape[0]);
  const auto block = state_->block(*entry);
  const auto* ends = reinterpret_cast<const std::uint64_t*>(block.data());
  const std::string_view text = as_text(block.subspan((count + 1) * sizeof(std::uint64_t)));
  std::vector<std::string> values;
  values.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    values.emplace_back(text.substr(ends[i], ends[i + 1] - ends[i]));
  }
  return values;
}

bool ArchiveReader::has(std::string_view name) const {
  return state_->entries.contains(state_->scopes.of(name));
}

std::vector<std::string> ArchiveReader::names() const {
  const std::string& prefix = state_->scopes.prefix();
  std::vector<std::string> names;
  for (const auto& entry : state_->entries) {
    if (entry.first.starts_with(prefix)) names.push_back(entry.first.substr(prefix.size()));
  }
  return names;
}

void ArchiveReader::enter(std::string_view scope) { state_->scopes.enter(scope); }
void ArchiveReader::leave() { state_->scopes.leave(); }

}  // namespace vitrine
