// The file of trials: one JSON line each.
#include <fmt/format.h>

#include <bit>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/json.h"
#include "engine/tune.h"

namespace vitrine {
namespace {

std::string key_of(std::string_view model, std::int64_t number, double share) {
  return fmt::format("{}/{}/{:.4f}", model, number, share);
}

Result<std::string> key_of(const Table& line) {
  VT_TRY(const std::string model, string_at(line, "model"));
  VT_TRY(const std::int64_t number, int_at(line, "trial"));
  VT_TRY(const double share, number_at(line, "share"));
  return key_of(model, number, share);
}

std::uint64_t mixed(std::uint64_t seed, std::string_view text) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

// Member by member: between them lies padding.
std::uint64_t mixed(std::uint64_t seed, const HistoryEvent& event) {
  const std::uint64_t members[] = {raw(event.item),
                                   static_cast<std::uint64_t>(event.type),
                                   std::bit_cast<std::uint32_t>(event.value),
                                   std::bit_cast<std::uint32_t>(event.weight),
                                   static_cast<std::uint64_t>(event.time),
                                   event.group};
  return XXH3_64bits_withSeed(members, sizeof members, seed);
}

}  // namespace

std::string ground_of(const TuneGround& data, const ModelConfig& base) {
  const Histories& train = data.validation.train();
  std::uint64_t hash = train.items();
  for (std::size_t r = 0; r < train.rows(); ++r) {
    hash = mixed(hash ^ train.row(r).size(), "");
    for (const HistoryEvent& event : train.row(r)) hash = mixed(hash, event);
  }
  hash = mixed(hash, data.validation.description());
  for (std::size_t c = 0; c < data.validation.cases(); ++c) {
    const EvaluationCase asked = data.validation[c];
    hash = mixed(hash ^ asked.history.size(), "");
    for (const HistoryEvent& event : asked.history) hash = mixed(hash, event);
    hash = mixed(hash, {reinterpret_cast<const char*>(asked.truth.data()),
                        asked.truth.size() * sizeof(ItemIndex)});
  }
  hash = mixed(hash, to_json(write_options(data.interactions)));
  hash = mixed(hash, to_json(write_options(data.evaluate)));
  return fmt::format("{:016x}", mixed(mixed(hash, base.kind), to_json(base.options)));
}

Value TuneTrial::to_json(std::string_view metric, std::int64_t seed) const {
  Table line{{"model", model},
             {"trial", number},
             {"share", share},
             {"metric", metric},
             {"value", value ? Value(*value) : Value()},
             {"settings", settings},
             {"fit_cpu_s", fit.cpu_s},
             {"fit_elapsed_s", fit.elapsed_s},
             {"seed", seed},
             {"ground", ground}};
  if (!error.empty()) line.set("error", error);
  return line;
}

Result<TuneLog> TuneLog::open(FileSystem& files, const std::string& path) {
  TuneLog log;
  log.path_ = path;
  if (path.empty()) return log;
  std::string text;
  if (file_exists(files, path)) {
    VT_TRY(text, read_file(files, path));
  }
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string where = fmt::format("{}:{}", path, ++number);
    const auto line = parse_json(text.substr(begin, end - begin));
    if (!line.ok()) {
      if (end == text.size()) break;  // the last line of a process that was stopped
      return line.error().prefixed(where);
    }
    if (line->as_table() == nullptr) {
      return Error{Code::kInvalid, where + ": a trial must be an object"};
    }
    auto key = key_of(*line->as_table());
    if (!key.ok()) return Error{Code::kInvalid, where + ": " + key.error().message};
    log.lines_[*key] = *line;
    begin = end + 1;
  }
  if (!text.empty() && text.back() != '\n') {
    const std::size_t whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
    VT_TRY(files.truncate(path, whole));
  }
  VT_TRY(log.file_, files.append_to(path));
  return log;
}

Result<std::optional<TuneTrial>> TuneLog::finished(const TuneTrial& wanted, std::string_view metric,
                                                   std::int64_t seed) const {
  const auto found = lines_.find(key_of(wanted.model, wanted.number, wanted.share));
  if (found == lines_.end()) return std::optional<TuneTrial>();
  const Table& line = *found->second.as_table();
  TuneTrial trial = wanted;
  const Value* settings = line.find("settings");
  bool same = settings != nullptr && settings->as_table() != nullptr;
  if (same) {
    trial.settings = *settings->as_table();
    // Epochs are a result, not a wish. Numbers are compared as they are written.
    for (const auto& [key, value] : wanted.settings) {
      const Value* before = trial.settings.find(key);
      same = same && before != nullptr &&
             (key == "epochs" || vitrine::to_json(*before) == vitrine::to_json(value));
    }
  }
  VT_TRY(const std::int64_t line_seed, int_at(line, "seed"));
  VT_TRY(const std::string line_metric, string_at(line, "metric"));
  // Files from before there were grounds have none: they are of another search.
  const Value* ground = line.find("ground");
  const bool same_ground =
      ground != nullptr && ground->as_string() != nullptr && *ground->as_string() == wanted.ground;
  if (!same || line_seed != seed || line_metric != metric || !same_ground) {
    return Error{Code::kInvalid,
                 fmt::format("{}: trial {} of {} is of another search (other seed, metric, ranges, "
                             "method, data, split or other settings); name a new file",
                             path_, wanted.number, wanted.model)};
  }
  if (const Value* value = line.find("value"); value != nullptr && value->is_number()) {
    trial.value = value->number();
  }
  if (const Value* error = line.find("error"); error != nullptr && error->as_string() != nullptr) {
    trial.error = *error->as_string();
  }
  VT_TRY(trial.fit.cpu_s, number_at(line, "fit_cpu_s"));
  VT_TRY(trial.fit.elapsed_s, number_at(line, "fit_elapsed_s"));
  return std::optional(std::move(trial));
}

Status TuneLog::add(const TuneTrial& trial, std::string_view metric, std::int64_t seed) {
  if (file_ == nullptr) return {};
  return file_->append(as_bytes(vitrine::to_json(trial.to_json(metric, seed)) + "\n"));
}

}  // namespace vitrine
