#include "data/import.h"

#include <xxhash.h>

#include <charconv>
#include <cstring>

#include "base/json.h"
#include "data/decompress.h"
#include "data/limits.h"
#include "data/mapping.h"
#include "data/rows.h"
#include "data/text.h"

namespace vitrine {
namespace {

constexpr std::uint64_t kRowsPerProgress = 2048;

std::string file_name(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));  // npos + 1 = 0
}

// A file's size and the checksum of its bytes as they lie on disk.
struct Fingerprint {
  std::uint64_t bytes = 0;
  XXH128_hash_t hash{};
};

Result<Fingerprint> fingerprint(FileSystem& files, const std::string& path) {
  VT_TRY(const auto file, files.read(path));
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                       &XXH3_freeState);
  if (state == nullptr) return Error{Code::kExhausted, "out of memory"};
  XXH3_128bits_reset(state.get());
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(kReadBytes);
  Fingerprint print;
  for (;;) {
    VT_TRY(const std::size_t got, file->read({buffer.get(), kReadBytes}));
    if (got == 0) break;
    XXH3_128bits_update(state.get(), buffer.get(), got);
    print.bytes += got;
  }
  print.hash = XXH3_128bits_digest(state.get());
  return print;
}

// Ids of rows that bring none: 96 bits of hash(source name, file checksum) as 16 characters, and
// the row.
class RowIds {
 public:
  RowIds(std::string_view source, const Fingerprint& print) {
    constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, print.hash);
    std::string material(source);
    material += '\0';
    material.append(reinterpret_cast<const char*>(canonical.digest), sizeof canonical.digest);
    XXH128_hash_t hash = XXH3_128bits(material.data(), material.size());
    for (int i = 0; i < 16; ++i) {
      text_[i] = kDigits[hash.low64 & 63];
      hash.low64 = (hash.low64 >> 6) | (hash.high64 << 58);
      hash.high64 >>= 6;
    }
    text_[16] = '.';
  }

  void write(std::uint64_t row, std::string& id) {
    const auto end = std::to_chars(text_ + 17, text_ + sizeof text_, row).ptr;
    id.assign(text_, static_cast<std::size_t>(end - text_));
  }

 private:
  char text_[40];
};

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> endings) {
  for (const std::string_view ending : endings) {
    if (name.ends_with(ending)) return true;
  }
  return false;
}

std::string_view without_compression(std::string_view name) {
  for (const std::string_view ending : {".gz", ".zst"}) {
    if (name.ends_with(ending)) return name.substr(0, name.size() - ending.size());
  }
  return name;
}

// By the name, then by the first character.
bool is_json_lines(const SourceOptions& source, std::string_view start) {
  if (source.format != "auto") return source.format == "jsonl";
  const std::string_view name = without_compression(source.path);
  if (ends_with_any(name, {".jsonl", ".ndjson", ".json"})) return true;
  if (ends_with_any(name, {".csv", ".tsv"})) return false;
  const std::size_t first = start.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && start[first] == '{';
}

Result<CsvDialect> dialect_of(const SourceOptions& source) {
  CsvDialect dialect;
  const bool tabs = source.delimiter == "tab" || source.delimiter == "\\t";
  if (!tabs && source.delimiter.size() != 1) {
    return Error{Code::kInvalid,
                 "delimiter: expected one character or tab, found " + shown(source.delimiter)};
  }
  if (source.quote.size() > 1) {
    return Error{Code::kInvalid,
                 "quote: expected one character or nothing, found " + shown(source.quote)};
  }
  dialect.delimiter = tabs ? '\t' : source.delimiter[0];
  if (source.delimiter == "," && without_compression(source.path).ends_with(".tsv"))
    dialect.delimiter = '\t';
  dialect.quote = source.quote.empty() ? '\0' : source.quote[0];
  for (const char c : {dialect.delimiter, dialect.quote}) {
    if (c == '\n' || c == '\r' || static_cast<unsigned char>(c) >= 0x80) {
      return Error{Code::kInvalid,
                   "delimiter, quote: a line ending or a byte above 127 cannot be one"};
    }
  }
  if (dialect.delimiter == dialect.quote) {
    return Error{Code::kInvalid, "delimiter and quote are the same character"};
  }
  return dialect;
}

// Records on their way to the sink; the objects and their memory are used again for the next batch.
template <class Record>
class Batch {
 public:
  explicit Batch(const std::function<Status(std::span<const Record>)>& sink) : sink_(sink) {}

  Record& next() {
    if (count_ == records_.size()) records_.emplace_back();
    return records_[count_];
  }
  void keep(std::size_t bytes) {
    ++count_;
    bytes_ += bytes;
  }
  bool full() const { return count_ >= kImportBatchRows || bytes_ >= kImportBatchBytes; }

  Status flush(std::uint64_t& accepted) {
    if (count_ > 0 && sink_) VT_TRY(sink_(std::span<const Record>(records_).first(count_)));
    accepted += count_;
    count_ = bytes_ = 0;
    return {};
  }

 private:
  const std::function<Status(std::span<const Record>)>& sink_;
  std::vector<Record> records_;
  std::size_t count_ = 0, bytes_ = 0;
};

// One file on its way in.
class Import {
 public:
  Import(const SourceOptions& source, const EventTypes& types, bool strict, const ImportSink& sink)
      : source_(source),
        types_(types),
        strict_(strict),
        sink_(sink),
        name_(file_name(source.path)) {}

  Result<ImportReport> run(const Run& run, FileSystem& files) {
    VT_TRY(const Fingerprint print, fingerprint(files, source_.path));
    RowIds ids(source_.name.empty() ? std::string_view(name_) : std::string_view(source_.name),
               print);
    ids_ = &ids;
    report_.bytes = print.bytes;
    VT_TRY(auto raw_file, files.read(source_.path));
    auto file = decompress(std::move(raw_file));
    if (!file.ok()) return in_file(file.error());
    Stage stage(run.monitor, "import " + name_, print.bytes, "bytes");
    stage_ = &stage;
    file_ = file->get();
    LineReader lines(*file_);
    if (const Status opened = open_rows(lines); !opened.ok()) return in_file(opened.error());
    VT_TRY(read_all());
    if (finished_early_) return std::move(report_);
    if (file_->consumed() != print.bytes) {
      return Error{Code::kIo, name_ + ": changed while it was read; import it again"};
    }
    return std::move(report_);
  }

 private:
  // What is wrong with the input names the file; the operating system's errors name its path
  // already.
  Error in_file(const Error& error) const {
    const bool named = error.code != Code::kInvalid || error.message.starts_with(name_ + ":");
    return named ? error : error.prefixed(name_);
  }

  // Format, columns and mapping, from the first line or row.
  Status open_rows(LineReader& lines) {
    VT_TRY(mapped_, mapped_options(source_));
    VT_TRY(const std::string_view start, lines.start());
    if (is_json_lines(source_, start)) {
      if (!mapped_.empty()) columns_ = Columns::of_keys(name_);
      VT_TRY(compile());
      native_ = mapped_.empty();
      rows_ = read_json_lines(lines, columns_.names());
      return {};
    }
    VT_TRY(const CsvDialect dialect, dialect_of(source_));
    rows_ = read_csv(lines, dialect);
    return open_csv();
  }

  Status open_csv() {
    VT_TRY(const bool more, rows_->next(row_));
    if (!more) {
      if (!source_.header) return {};
      return Error{Code::kInvalid, "is empty; expected a first row that names the columns"};
    }
    if (!row_.problem.empty()) return Error{Code::kInvalid, place() + row_.problem};
    column_count_ = row_.fields.size();
    if (!source_.header) {
      pending_ = true;
      columns_ = Columns::of_positions(name_, column_count_);
      return compile();
    }
    std::vector<std::string> names(row_.fields.begin(), row_.fields.end());
    if (mapped_.empty()) {
      source_ = map_by_names(std::move(source_), names);
      VT_TRY(mapped_, mapped_options(source_));
      if (mapped_.empty()) {
        return Error{Code::kInvalid,
                     "no column is mapped, and none of the first row speaks for itself: " +
                         shown(row_.text, 200)};
      }
    }
    columns_ = Columns::of_header(name_, std::move(names));
    VT_TRY(check_header(columns_, mapped_, name_, row_.text));
    return compile();
  }

  Status compile() {
    if (mapped_.empty() && columns_.names().empty()) return {};  // documents in our own form
    if (source_.kind == "events") {
      VT_TRY(event_mapping_, EventMapping::compile(source_, columns_, types_));
    } else {
      VT_TRY(record_mapping_, RecordMapping::compile(source_, columns_));
    }
    return {};
  }

  std::string place() const { return name_ + ":" + std::to_string(row_.line) + ": "; }

  Status read_all() {
    if (source_.kind == "items") {
      Batch<Item> batch(sink_.items);
      return read_rows(batch);
    }
    if (source_.kind == "users") {
      Batch<User> batch(sink_.users);
      return read_rows(batch);
    }
    Batch<Event> batch(sink_.events);
    return read_rows(batch);
  }

  template <class Record>
  Status read_rows(Batch<Record>& batch) {
    for (;;) {
      const auto more = next_row();
      if (!more.ok()) return stop(batch, in_file(more.error()));
      if (!*more) break;
      ++report_.rows;
      const auto outcome = read_record(batch.next());
      if (!outcome.ok()) {
        Error reason{Code::kInvalid, place() + outcome.error().message};
        if (strict_) return stop(batch, std::move(reason));
        ++report_.rejected;
        if (report_.reasons.size() < kImportReasonsMax)
          report_.reasons.push_back(std::move(reason.message));
      } else if (*outcome == RowOutcome::kIgnored) {
        ++report_.ignored;
      } else {
        batch.keep(row_.text.size());
      }
      const bool flush = batch.full();
      if (flush) VT_TRY(batch.flush(report_.accepted));
      if (!flush && report_.rows % kRowsPerProgress != 0) continue;
      const Verdict verdict = stage_->advance(file_->consumed());
      if (verdict == Verdict::kCancel)
        return stop(batch, Error{Code::kCancelled, name_ + ": cancelled"});
      finished_early_ = verdict == Verdict::kFinish;
      if (finished_early_) break;
    }
    stage_->advance(file_->consumed());
    return batch.flush(report_.accepted);
  }

  // The rows so far are kept; the error says how many they are.
  template <class Record>
  Status stop(Batch<Record>& batch, Error error) {
    VT_TRY(batch.flush(report_.accepted));
    error.message +=
        "; " + std::to_string(report_.accepted) + " rows before it were imported and stay";
    return error;
  }

  Result<bool> next_row() {
    if (pending_) {
      pending_ = false;
      return true;
    }
    return rows_->next(row_);
  }

  Status check_row() const {
    if (!row_.problem.empty()) return Error{Code::kInvalid, row_.problem};
    if (column_count_ > 0 && row_.fields.size() != column_count_) {
      return Error{Code::kInvalid, "expected " + std::to_string(column_count_) +
                                       " columns, found " + std::to_string(row_.fields.size())};
    }
    return {};
  }

  Result<RowOutcome> read_record(Event& event) {
    event.clear();
    VT_TRY(check_row());
    if (native_) {
      VT_TRY(const Value json, parse_json(row_.text));
      VT_TRY(event, event_from_json(json, types_));
    } else {
      VT_TRY(const RowOutcome outcome, event_mapping_->fill(row_.fields, event));
      if (outcome == RowOutcome::kIgnored) return outcome;
    }
    if (event.id.empty()) ids_->write(report_.rows, event.id);
    return RowOutcome::kRecord;
  }
  Result<RowOutcome> read_record(Item& item) { return read_document(item, item_from_json); }
  Result<RowOutcome> read_record(User& user) { return read_document(user, user_from_json); }

  template <class Record>
  Result<RowOutcome> read_document(Record& record, Result<Record> (*from_json)(const Value&)) {
    VT_TRY(check_row());
    VT_TRY(const Value json,
           native_ ? parse_json(row_.text) : record_mapping_->to_json(row_.fields));
    VT_TRY(record, from_json(json));
    return RowOutcome::kRecord;
  }

  SourceOptions source_;
  const EventTypes& types_;
  bool strict_;
  const ImportSink& sink_;
  std::string name_;
  std::vector<MappedOption> mapped_;
  Columns columns_ = Columns::of_keys({});
  std::size_t column_count_ = 0;  // 0: rows are not counted
  bool native_ = false;           // JSON Lines in our own form
  bool pending_ = false;          // row_ has been read and is the first data row
  bool finished_early_ = false;
  std::optional<EventMapping> event_mapping_;
  std::optional<RecordMapping> record_mapping_;
  RowIds* ids_ = nullptr;
  Stage* stage_ = nullptr;
  DecompressedFile* file_ = nullptr;
  std::unique_ptr<RowReader> rows_;
  Row row_;
  ImportReport report_;
};

}  // namespace

Value ImportReport::to_json() const {
  return Table{{"rows", rows},
               {"accepted", accepted},
               {"rejected", rejected},
               {"ignored", ignored},
               {"repeated", repeated},
               {"bytes", bytes},
               {"reasons", List(reasons.begin(), reasons.end())}};
}

Result<ImportReport> import_source(const Run& run, FileSystem& files, const SourceOptions& source,
                                   const EventTypes& types, bool strict, const ImportSink& sink) {
  return Import(source, types, strict, sink).run(run, files);
}

}  // namespace vitrine
