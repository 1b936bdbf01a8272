#include "engine/snapshot.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>

#include "base/archive.h"
#include "base/json.h"
#include "index/clustered.h"

namespace vitrine {
namespace {

constexpr std::string_view kCatalogueKind = "catalogue";
constexpr std::string_view kPartial = ".partial";
constexpr std::string_view kCurrent = "CURRENT";

std::string manifest_path(const std::string& folder) { return folder + "/manifest.json"; }
std::string publication_path(const std::string& folder) { return folder + "/publication.json"; }
std::string catalogue_path(const std::string& folder) { return folder + "/catalogue.vta"; }
std::string model_path(const std::string& folder, std::string_view name) {
  return folder + "/models/" + std::string(name) + ".vta";
}
std::string model_archive_kind(std::string_view kind) { return "model." + std::string(kind); }

std::string base_name(const std::string& folder) {
  const std::size_t slash = folder.rfind('/');
  return slash == std::string::npos ? folder : folder.substr(slash + 1);
}

std::string hex(std::uint64_t number) { return fmt::format("{:016x}", number); }

Result<std::uint64_t> parse_hex(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (failed != std::errc() || end != text.data() + text.size()) {
    return Error{Code::kCorrupt, "'" + text + "' is no hexadecimal number"};
  }
  return number;
}

// What the files of a snapshot have in common for the same log, configuration, seed and threads.
Table reproducible_part(const Manifest& manifest) {
  Table table = *manifest.to_json().as_table();
  table.erase("name");
  table.erase("publication");
  return table;
}

std::string checksum(const Table& table) {
  const std::string text = to_json(table);
  return hex(XXH3_64bits(text.data(), text.size()));
}

Table publication_table(const Publication& publication) {
  List checks;
  for (const GateCheck& check : publication.checks)
    checks.push_back(Table{{"name", check.name}, {"passed", check.passed}, {"text", check.text}});
  return {{"created",
           publication.created == kNoTime ? Value() : Value(format_time(publication.created))},
          {"passed", publication.passed},
          {"champion", publication.champion},
          {"verdict", publication.verdict},
          {"checks", std::move(checks)},
          {"reason", publication.reason}};
}

// Absent in what older versions wrote.
Status read_checks(const Table& table, std::vector<GateCheck>& checks) {
  const Value* list = table.find("checks");
  if (list == nullptr || list->as_list() == nullptr) return {};
  for (const Value& row : *list->as_list()) {
    const Table* check = row.as_table();
    const Value* passed = check == nullptr ? nullptr : check->find("passed");
    if (passed == nullptr || passed->as_bool() == nullptr)
      return Error{Code::kInvalid, "'checks' holds something else than checks"};
    VT_TRY(const std::string name, string_at(*check, "name"));
    VT_TRY(const std::string text, string_at(*check, "text"));
    checks.push_back({name, *passed->as_bool(), text});
  }
  return {};
}

Result<Publication> read_publication(const Table& table) {
  Publication publication;
  if (const Value* created = table.find("created"); created != nullptr && created->as_string()) {
    VT_TRY(publication.created, parse_time(*created->as_string()));
  }
  const Value* passed = table.find("passed");
  publication.passed = passed != nullptr && passed->as_bool() != nullptr && *passed->as_bool();
  VT_TRY(publication.champion, string_at(table, "champion"));
  VT_TRY(publication.verdict, string_at(table, "verdict"));
  VT_TRY(publication.reason, string_at(table, "reason"));
  VT_TRY(read_checks(table, publication.checks));
  return publication;
}

Result<Table> table_at(const Table& table, std::string_view key) {
  const Value* value = table.find(key);
  if (value == nullptr || value->as_table() == nullptr) {
    return Error{Code::kInvalid, "'" + std::string(key) + "' is missing or no table"};
  }
  return *value->as_table();
}

template <class Number>
Status number_into(const Table& table, std::string_view key, Number& out) {
  VT_TRY(const std::int64_t number, int_at(table, key));
  if (number < 0 && std::is_unsigned_v<Number>) {
    return Error{Code::kInvalid, "'" + std::string(key) + "' is negative"};
  }
  out = static_cast<Number>(number);
  return {};
}

// What stands in a file that was ours once.
Error corrupt(const std::string& path, const Error& error) {
  const Code code = error.code == Code::kInvalid ? Code::kCorrupt : error.code;
  if (error.message.rfind(path, 0) == 0) return Error{code, error.message};
  return Error{code, path + ": " + error.message};
}

Result<Table> read_json_file(FileSystem& files, const std::string& path) {
  VT_TRY(const std::string text, read_file(files, path));
  auto json = parse_json(text);
  if (!json.ok()) return corrupt(path, json.error());
  const Table* table = json->as_table();
  if (table == nullptr) return Error{Code::kCorrupt, path + ": is no JSON object"};
  return *table;
}

Result<Manifest> read_manifest(FileSystem& files, const std::string& folder) {
  const std::string path = manifest_path(folder);
  VT_TRY(Table table, read_json_file(files, path));
  auto sum = string_at(table, "checksum");
  if (!sum.ok()) return corrupt(path, sum.error());
  table.erase("checksum");
  if (*sum != checksum(table)) {
    return Error{Code::kCorrupt,
                 path + ": its checksum does not fit: the file was changed or damaged"};
  }
  auto manifest = Manifest::from_json(table);
  if (!manifest.ok()) return corrupt(path, manifest.error());
  manifest->name = base_name(folder);
  return manifest;
}

Status write_models(FileSystem& files, const std::string& folder, const Snapshot& snapshot) {
  for (const NamedModel& named : snapshot.models) {
    ArchiveWriter writer(files, model_path(folder, named.name), model_archive_kind(named.kind));
    named.model->save(writer);
    VT_TRY(writer.finish());
  }
  return {};
}

// The best ten under a mask that allows a share f are spread like the best 10 / f.
List recall_by_share(std::span<const double> recalls) {
  constexpr double kBest = 10;
  List rows;
  for (std::size_t i = 0; i < recalls.size(); ++i)
    rows.push_back(
        Table{{"allowed", kBest / ClusteredItems::kLevels[i]}, {"recall@10", recalls[i]}});
  return rows;
}

Result<Table> measured_searches(FileSystem& files, const std::string& folder,
                                const Snapshot& snapshot) {
  Table searches;
  for (const NamedModel& named : snapshot.models) {
    VT_TRY(const auto archive, ArchiveReader::open(files, model_path(folder, named.name),
                                                   model_archive_kind(named.kind)));
    VT_TRY(const auto recalls, ClusteredItems::saved_recalls(*archive));
    if (!recalls.empty()) searches.set(named.name, recall_by_share(recalls));
  }
  return searches;
}

Status write_folder(FileSystem& files, const std::string& folder, const Snapshot& snapshot) {
  VT_TRY(files.make_folder(folder + "/models"));
  VT_TRY(write_models(files, folder, snapshot));
  ArchiveWriter writer(files, catalogue_path(folder), kCatalogueKind);
  snapshot.catalogue->save(writer);
  VT_TRY(writer.finish());
  VT_TRY(write_file_atomically(files, publication_path(folder),
                               to_json_pretty(publication_table(snapshot.manifest.publication))));
  Manifest described = snapshot.manifest;
  VT_TRY(described.searches, measured_searches(files, folder, snapshot));
  Table manifest = reproducible_part(described);
  manifest.set("checksum", checksum(manifest));
  VT_TRY(write_file_atomically(files, manifest_path(folder), to_json_pretty(manifest)));
  VT_TRY(files.sync_folder(folder + "/models"));
  return files.sync_folder(folder);
}

// A folder of a snapshot, whole or not.
Status remove_folder(FileSystem& files, const std::string& folder) {
  for (const std::string& inner : {folder + "/models", folder}) {
    auto names = files.list(inner);
    if (!names.ok() && names.error().code == Code::kNotFound) continue;
    if (!names.ok()) return names.error();
    for (const std::string& name : *names) VT_TRY(files.remove(inner + "/" + name));
    VT_TRY(files.remove(inner));
  }
  return {};
}

bool is_snapshot_name(std::string_view name) {
  const std::size_t dash = name.find('-');
  if (dash == std::string_view::npos || dash == 0 || dash + 1 == name.size()) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return c == '-' || (c >= '0' && c <= '9'); });
}

std::uint64_t number_of(std::string_view name) {
  std::uint64_t number = 0;
  std::from_chars(name.data(), name.data() + name.size(), number);
  return number;
}

}  // namespace

Value Manifest::to_json() const {
  List kinds;
  for (const auto& [model, kind] : models) kinds.push_back(Table{{"name", model}, {"kind", kind}});
  Table table{{"name", name},
              {"format", 1},
              {"sequence", sequence},
              {"users", users},
              {"items", items},
              {"seed", seed},
              {"threads", threads},
              {"kernels", kernels},
              {"last_event", last_event == kNoTime ? Value() : Value(format_time(last_event))},
              {"events", events},
              {"items_fingerprint", hex(items_fingerprint)},
              {"models", std::move(kinds)},
              {"metrics", metrics},
              {"config", config},
              {"publication", publication_table(publication)}};
  if (!searches.empty()) table.set("searches", searches);
  return table;
}

Result<Manifest> Manifest::from_json(const Value& json) {
  const Table* table = json.as_table();
  if (table == nullptr) return Error{Code::kInvalid, "a manifest is a JSON object"};
  Manifest manifest;
  VT_TRY(const std::int64_t format, int_at(*table, "format"));
  if (format != 1) {
    return Error{Code::kUnsupported, "snapshot format " + std::to_string(format) +
                                         " is newer than this version of Vitrine"};
  }
  if (const Value* name = table->find("name"); name != nullptr && name->as_string() != nullptr) {
    manifest.name = *name->as_string();
  }
  VT_TRY(number_into(*table, "sequence", manifest.sequence));
  VT_TRY(number_into(*table, "users", manifest.users));
  VT_TRY(number_into(*table, "items", manifest.items));
  VT_TRY(number_into(*table, "seed", manifest.seed));
  VT_TRY(number_into(*table, "threads", manifest.threads));
  VT_TRY(number_into(*table, "events", manifest.events));
  VT_TRY(manifest.kernels, string_at(*table, "kernels"));
  if (const Value* last = table->find("last_event");
      last != nullptr && last->as_string() != nullptr) {
    VT_TRY(manifest.last_event, parse_time(*last->as_string()));
  }
  VT_TRY(const std::string fingerprint, string_at(*table, "items_fingerprint"));
  VT_TRY(manifest.items_fingerprint, parse_hex(fingerprint));
  VT_TRY(manifest.metrics, table_at(*table, "metrics"));
  VT_TRY(manifest.config, table_at(*table, "config"));
  if (table->find("searches") != nullptr) {
    VT_TRY(manifest.searches, table_at(*table, "searches"));
  }
  const Value* models = table->find("models");
  if (models == nullptr || models->as_list() == nullptr) {
    return Error{Code::kInvalid, "'models' is missing or no list"};
  }
  for (const Value& entry : *models->as_list()) {
    if (entry.as_table() == nullptr) return Error{Code::kInvalid, "'models' holds no table"};
    VT_TRY(std::string model, string_at(*entry.as_table(), "name"));
    VT_TRY(std::string kind, string_at(*entry.as_table(), "kind"));
    manifest.models.emplace_back(std::move(model), std::move(kind));
  }
  if (table->find("publication") != nullptr) {
    VT_TRY(const Table publication, table_at(*table, "publication"));
    VT_TRY(manifest.publication, read_publication(publication));
  }
  return manifest;
}

Result<Manifest> load_manifest(FileSystem& files, const std::string& folder) {
  VT_TRY(Manifest manifest, read_manifest(files, folder));
  const std::string path = publication_path(folder);
  VT_TRY(const Table table, read_json_file(files, path));
  auto publication = read_publication(table);
  if (!publication.ok()) return corrupt(path, publication.error());
  manifest.publication = std::move(publication).value();
  return manifest;
}

const Model* Snapshot::find(std::string_view name) const {
  for (const NamedModel& named : models) {
    if (named.name == name) return named.model.get();
  }
  return nullptr;
}

Status Snapshot::save(FileSystem& files, const std::string& folder, const Snapshot& snapshot) {
  const std::string partial = folder + std::string(kPartial);
  VT_TRY(remove_folder(files, partial));
  Status written = write_folder(files, partial, snapshot);
  if (written.ok()) written = files.rename(partial, folder);
  if (!written.ok()) {
    (void)remove_folder(files, partial);  // the first failure is the one to report
    return written;
  }
  return files.sync_folder(folder_of(folder));
}

Result<std::shared_ptr<const Snapshot>> Snapshot::load(FileSystem& files,
                                                       const std::string& folder) {
  auto snapshot = std::make_shared<Snapshot>();
  VT_TRY(snapshot->manifest, load_manifest(files, folder));
  const std::string path = catalogue_path(folder);
  VT_TRY(auto reader, ArchiveReader::open(files, path, kCatalogueKind));
  auto catalogue = Catalogue::load(*reader);
  if (!catalogue.ok()) return corrupt(path, catalogue.error());
  snapshot->catalogue = std::make_shared<const Catalogue>(std::move(catalogue).value());
  for (const auto& [name, kind_name] : snapshot->manifest.models) {
    const std::string file = model_path(folder, name);
    auto kind = find_model(kind_name);
    if (!kind.ok()) return corrupt(file, kind.error());
    VT_TRY(auto archive, ArchiveReader::open(files, file, model_archive_kind(kind_name)));
    auto model = kind.value()->load(*archive, *snapshot->catalogue);
    if (!model.ok()) return corrupt(file, model.error());
    snapshot->models.push_back({name, kind_name, std::move(model).value()});
  }
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

Result<std::vector<std::string>> SnapshotFolder::names() const {
  auto all = files_.list(folder_);
  if (!all.ok() && all.error().code == Code::kNotFound) return std::vector<std::string>();
  if (!all.ok()) return all.error();
  std::vector<std::string> names;
  for (const std::string& name : *all) {
    if (is_snapshot_name(name)) names.push_back(name);
  }
  std::stable_sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return number_of(a) < number_of(b);
  });
  return names;
}

Result<std::string> SnapshotFolder::current() const {
  const std::string path = folder_ + "/" + std::string(kCurrent);
  auto text = read_file(files_, path);
  if (!text.ok() && text.error().code == Code::kNotFound) return std::string();
  if (!text.ok()) return text.error();
  while (!text->empty() && text->back() == '\n') text->pop_back();
  if (!is_snapshot_name(*text)) {
    return Error{Code::kCorrupt,
                 path + ": names no snapshot; `vitrine snapshot publish NAME` repairs it"};
  }
  return text;
}

Status SnapshotFolder::publish(std::string_view name) const {
  if (!is_snapshot_name(name) || !file_exists(files_, manifest_path(path(name)))) {
    return Error{Code::kNotFound, "there is no snapshot '" + std::string(name) +
                                      "'; `vitrine snapshot list` shows those there are"};
  }
  return write_file_atomically(files_, folder_ + "/" + std::string(kCurrent),
                               std::string(name) + "\n");
}

Result<std::string> SnapshotFolder::next_name(std::uint64_t sequence) const {
  VT_TRY(const auto all, names());
  const std::uint64_t number = all.empty() ? 1 : number_of(all.back()) + 1;
  return fmt::format("{:06}-{}", number, sequence);
}

Status SnapshotFolder::prune(int kept) const {
  VT_TRY(auto all, names());
  VT_TRY(const std::string published, current());
  std::reverse(all.begin(), all.end());
  int passed = 0, refused = 0;
  for (const std::string& name : all) {
    const auto manifest = load_manifest(files_, path(name));
    const bool passes = manifest.ok() && manifest->publication.passed;
    const bool keeps = passes ? ++passed <= kept : ++refused <= 1;
    if (!keeps && name != published) VT_TRY(remove_folder(files_, path(name)));
  }
  VT_TRY(const auto entries, files_.list(folder_));
  for (const std::string& name : entries) {
    const bool partial =
        name.size() > kPartial.size() &&
        name.compare(name.size() - kPartial.size(), kPartial.size(), kPartial) == 0;
    if (partial && is_snapshot_name(name.substr(0, name.size() - kPartial.size()))) {
      VT_TRY(remove_folder(files_, path(name)));
    }
  }
  return {};
}

}  // namespace vitrine
