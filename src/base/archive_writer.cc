#include <cstring>
#include <map>

#include "base/archive.h"
#include "base/archive_format.h"
#include "base/json.h"

namespace vitrine {

using namespace archive;  // NOLINT: the records of this format

namespace {

int depth_of(const Value& value) {
  int deepest = 0;
  if (const List* list = value.as_list()) {
    for (const Value& element : *list) deepest = std::max(deepest, depth_of(element));
    return deepest + 1;
  }
  if (const Table* table = value.as_table()) {
    for (const Table::Entry& entry : *table) deepest = std::max(deepest, depth_of(entry.second));
    return deepest + 1;
  }
  return 0;
}

}  // namespace

struct ArchiveWriter::State {
  State(FileSystem& f, std::string p) : files(f), path(std::move(p)), partial(path + ".partial") {}

  // Small pieces are gathered: a model may have thousands of them.
  void put(std::span<const std::byte> bytes) {
    constexpr std::size_t kBuffer = std::size_t{1} << 18;
    position += bytes.size();
    if (buffer.size() + bytes.size() > kBuffer) flush();
    if (bytes.size() > kBuffer)
      append(bytes);
    else
      buffer.insert(buffer.end(), bytes.begin(), bytes.end());
  }
  void pad(std::uint64_t to) {
    constexpr std::byte kZeros[kAlignment] = {};
    put(std::span(kZeros).first(aligned(position, to) - position));
  }
  void flush() {
    append(buffer);
    buffer.clear();
  }
  void append(std::span<const std::byte> bytes) {
    if (status.ok()) status = file->append(bytes);
  }
  void fail(std::string_view name, std::string_view what) {
    if (status.ok()) {
      status = Error{Code::kInternal,
                     path + ": cannot store '" + std::string(name) + "': " + std::string(what)};
    }
  }

  void block(std::string_view name, std::uint32_t type, std::span<const std::byte> bytes,
             std::vector<std::int64_t> shape) {
    const std::string full = scopes.of(name);
    if (full.empty() || full.size() > kNameMax) return fail(name, "a name has 1 to 1024 bytes");
    if (shape.size() > kRankMax) return fail(full, "more than 8 dimensions");
    if (!status.ok()) return;
    pad(kAlignment);
    Entry entry{type, std::move(shape), position, bytes.size(), hash(bytes)};
    if (!entries.emplace(full, std::move(entry)).second) return fail(full, "it is there already");
    order.push_back(full);
    put(bytes);
  }

  void directory();
  Status publish();

  FileSystem& files;
  std::string path, partial;
  std::unique_ptr<WritableFile> file;
  std::vector<std::byte> buffer;
  std::uint64_t position = 0;
  std::map<std::string, Entry> entries;
  std::vector<std::string> order;
  Scopes scopes;
  Status status;
  bool finished = false;
};

void ArchiveWriter::State::directory() {
  pad(kAlignment);
  const std::uint64_t start = position;
  std::vector<std::byte> bytes;
  const auto add = [&](std::span<const std::byte> more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
  };
  for (const std::string& name : order) {
    const Entry& entry = entries.at(name);
    add(bytes_of(EntryHead{static_cast<std::uint32_t>(name.size()), entry.type,
                           static_cast<std::uint32_t>(entry.shape.size()), 0, entry.offset,
                           entry.length, entry.checksum}));
    add(std::as_bytes(std::span(entry.shape)));
    add(as_bytes(name));
    bytes.resize(aligned(bytes.size(), 8));
  }
  put(bytes);
  Footer footer{start, bytes.size(), order.size(), hash(bytes), position + sizeof(Footer), 0, {}};
  footer.checksum = hash(bytes_of(footer).first(offsetof(Footer, checksum)));
  std::memcpy(footer.magic, kClosingMagic, sizeof footer.magic);
  put(bytes_of(footer));
  flush();
}

Status ArchiveWriter::State::publish() {
  VT_TRY(status);
  VT_TRY(file->sync());
  file.reset();
  return files.rename(partial, path);
}

ArchiveWriter::ArchiveWriter(FileSystem& files, std::string path, std::string_view kind)
    : state_(std::make_unique<State>(files, std::move(path))) {
  Header header{{}, kVersion, 0, {}, 0};
  VT_CHECK(!kind.empty() && kind.size() <= sizeof header.kind);
  std::memcpy(header.magic, kMagic, sizeof header.magic);
  std::memcpy(header.kind, kind.data(), kind.size());
  header.checksum = hash(bytes_of(header).first(offsetof(Header, checksum)));
  auto file = files.create(state_->partial);
  if (file.ok())
    state_->file = std::move(file).value();
  else
    state_->status = file.error();
  state_->put(bytes_of(header));
}

ArchiveWriter::~ArchiveWriter() {
  if (state_->finished) return;
  state_->file.reset();
  (void)state_->files.remove(state_->partial);
}

void ArchiveWriter::write_tensor(std::string_view name, ElementType type,
                                 std::span<const std::byte> bytes, std::uint64_t count,
                                 std::vector<std::int64_t> shape) {
  if (shape.empty()) shape = {static_cast<std::int64_t>(count)};
  std::int64_t product = 0;
  if (!multiply(shape, product) || static_cast<std::uint64_t>(product) != count) {
    return state_->fail(name, "its shape does not hold " + std::to_string(count) + " elements");
  }
  state_->block(name, static_cast<std::uint32_t>(type), bytes, std::move(shape));
}

void ArchiveWriter::document(std::string_view name, const Value& value) {
  if (depth_of(value) > kJsonDepthMax) return state_->fail(name, "it is nested too deep");
  state_->block(name, kDocument, as_bytes(to_json(value)), {});
}

void ArchiveWriter::strings(std::string_view name, std::span<const std::string> values) {
  std::vector<std::uint64_t> ends;  // offsets into the bytes behind them, the first 0
  ends.reserve(values.size() + 1);
  ends.push_back(0);
  for (const std::string& value : values) ends.push_back(ends.back() + value.size());
  std::string block(as_text(std::as_bytes(std::span(ends))));
  block.reserve(block.size() + ends.back());
  for (const std::string& value : values) block += value;
  state_->block(name, kStrings, as_bytes(block), {static_cast<std::int64_t>(values.size())});
}

void ArchiveWriter::enter(std::string_view scope) { state_->scopes.enter(scope); }
void ArchiveWriter::leave() { state_->scopes.leave(); }

Status ArchiveWriter::finish() {
  State& s = *state_;
  VT_CHECK(!s.finished);
  s.directory();
  Status done = s.publish();
  s.finished = true;
  if (!done.ok()) {
    s.file.reset();
    (void)s.files.remove(s.partial);  // the first failure is the one to report
    return done;
  }
  return s.files.sync_folder(folder_of(s.path));
}

}  // namespace vitrine
