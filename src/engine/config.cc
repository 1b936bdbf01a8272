#include "engine/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/toml.h"
#include "eval/metrics.h"
#include "model/model.h"

namespace vitrine {
namespace {

constexpr std::string_view kSections[] = {
    "shop",  "sources",  "cleaning", "histories", "split", "interactions", "evaluate",
    "train", "pipeline", "server",   "log",       "live",  "models",       "placements"};
constexpr std::string_view kDefaultModels[] = {"popularity", "item_knn", "ease", "together"};
constexpr std::string_view kDefaultPlacement = "home";

// Reads one configuration; `file` is what messages call it.
class ConfigReader {
 public:
  ConfigReader(const Table& table, std::string_view file) : table_(table), file_(file) {}

  Status read(Config& config) const {
    VT_TRY(check_sections());
    VT_TRY(section("shop", config.shop));
    VT_TRY(sources(config.sources));
    VT_TRY(section("cleaning", config.cleaning));
    VT_TRY(section("histories", config.histories));
    VT_TRY(section("interactions", config.interactions));
    VT_TRY(section("split", config.split));
    VT_TRY(section("evaluate", config.evaluate));
    VT_TRY(section("train", config.train));
    VT_TRY(section("pipeline", config.pipeline));
    VT_TRY(section("server", config.server));
    VT_TRY(section("log", config.log));
    VT_TRY(section("live", config.live));
    VT_TRY(models(config.models));
    VT_TRY(placements(config.placements));
    return check(config);
  }

 private:
  std::string where(std::string_view section_name) const {
    std::string text = file_.empty() ? "configuration" : std::string(file_);
    return text + ": [" + std::string(section_name) + "]";
  }

  Status check_sections() const {
    const std::vector<std::string_view> known(std::begin(kSections), std::end(kSections));
    for (const auto& [name, value] : table_) {
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      const std::string_view near = nearest(name, known);
      std::string text = where(name) + " is no section";
      if (near.empty()) return Error{Code::kInvalid, text + "; `vitrine config --docs` lists them"};
      return Error{Code::kInvalid, text + "; did you mean [" + std::string(near) + "]?"};
    }
    return {};
  }

  Result<Table> table_at(const Value& value, std::string_view name) const {
    if (const Table* found = value.as_table()) return *found;
    return Error{Code::kInvalid, where(name) + " is a " + std::string(value.type_name()) +
                                     ", expected a section with keys"};
  }

  template <class Options>
  Status section(std::string_view name, Options& out) const {
    const Value* value = table_.find(name);
    if (value == nullptr) return {};
    VT_TRY(const Table keys, table_at(*value, name));
    VT_TRY(out, read_options<Options>(keys, where(name)));
    return {};
  }

  Status sources(std::vector<SourceOptions>& out) const {
    const Value* value = table_.find("sources");
    if (value == nullptr) return {};
    const List* list = value->as_list();
    if (list == nullptr) {
      return Error{Code::kInvalid, where("sources") + " is written [[sources]], once per file"};
    }
    for (std::size_t i = 0; i < list->size(); ++i) {
      const std::string name = "sources " + std::to_string(i + 1);
      VT_TRY(const Table keys, table_at((*list)[i], name));
      VT_TRY(auto source, read_options<SourceOptions>(keys, where(name)));
      if (source.path.empty()) {
        return Error{Code::kInvalid, where(name) + " has no path; name the file to import"};
      }
      out.push_back(std::move(source));
    }
    return {};
  }

  Status models(std::vector<ModelConfig>& out) const {
    const Value* value = table_.find("models");
    Table named;
    if (value != nullptr) {
      VT_TRY(named, table_at(*value, "models"));
    }
    if (named.empty()) {
      for (const std::string_view kind : kDefaultModels) named.set(kind, Table{});
    }
    for (const auto& [name, options] : named) {
      VT_TRY(Table keys, table_at(options, "models." + name));
      VT_TRY(auto model, complete_model(name, std::move(keys)));
      out.push_back(std::move(model));
    }
    return {};
  }

  Result<ModelConfig> complete_model(const std::string& name, Table keys) const {
    const std::string place = where("models." + name);
    if (const Status named = check_model_name(name); !named.ok())
      return named.error().prefixed(place);
    ModelConfig model{name, name, {}};
    if (const Value* kind = keys.find("kind")) {
      if (kind->as_string() == nullptr) {
        return Error{Code::kInvalid, place + ": kind is a " + std::string(kind->type_name()) +
                                         ", expected the name of a model kind"};
      }
      model.kind = *kind->as_string();
      keys.erase("kind");
    }
    auto found = find_model(model.kind);
    if (!found.ok()) return found.error().prefixed(place);
    auto completed = found.value()->complete(keys);
    if (!completed.ok()) return completed.error().prefixed(place);
    model.options = std::move(completed).value();
    return model;
  }

  // Names become file names (models/NAME.vta) and words of flags ("ease=2").
  static Status check_model_name(std::string_view name) {
    const auto fine = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || c == '-';
    };
    if (!name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), fine))
      return {};
    return Error{Code::kInvalid,
                 "a model's name is made of letters, digits, '_' and '-', at most 64"};
  }

  Status placements(std::vector<PlacementOptions>& out) const {
    if (const Value* value = table_.find("placements")) {
      VT_TRY(const Table named, table_at(*value, "placements"));
      for (const auto& [name, options] : named) {
        VT_TRY(const Table keys, table_at(options, "placements." + name));
        VT_TRY(auto placement, read_options<PlacementOptions>(keys, where("placements." + name)));
        placement.name = name;
        out.push_back(std::move(placement));
      }
    }
    const auto home = [](const PlacementOptions& p) { return p.name == kDefaultPlacement; };
    if (std::none_of(out.begin(), out.end(), home)) {
      PlacementOptions placement;
      placement.name = kDefaultPlacement;
      out.insert(out.begin(), std::move(placement));
    }
    return {};
  }

  // What spans sections: names that refer to others.
  Status check(Config& config) const {
    auto types = event_types(config);
    if (!types.ok()) return types.error().prefixed(where("shop"));
    auto weights = event_weights(config.histories, *types);
    if (!weights.ok()) return weights.error().prefixed(where("histories"));
    const Status resolved = config.interactions.resolve(*types);
    if (!resolved.ok()) return resolved.error().prefixed(where("interactions"));
    if (config.log.keep_days > 0 && config.live.checkpoint_minutes <= 0) {
      return Error{Code::kInvalid, where("log") +
                                       " keep_days needs checkpoints: old events leave "
                                       "the log when one holds what they said; set " +
                                       where("live") + " checkpoint_minutes above 0"};
    }
    for (const std::string& name : config.evaluate.seen) {
      const auto known = EventTypes().find(name);
      if (!known.ok()) {
        return Error{Code::kInvalid, where("evaluate") + " seen: '" + name +
                                         "' is no built-in event type; types of a shop's own "
                                         "count when seen is empty"};
      }
    }
    const std::string& metric = config.train.metric;
    if (metric_cutoff(metric) == 0 || !find_metric(metric.substr(0, metric.find('@')))) {
      return Error{Code::kInvalid, where("train") + " metric '" + config.train.metric +
                                       "' is no metric of the form name@length, such as ndcg@20"};
    }
    for (const std::string& name : config.train.models) {
      VT_TRY(check_known(config, name, where("train") + " models"));
    }
    for (const PlacementOptions& placement : config.placements) {
      const std::string place = where("placements." + placement.name);
      for (const std::string& name : placement.models) {
        VT_TRY(check_known(config, name, place + " models"));
      }
      for (const std::string& name : placement.cascade) {
        VT_TRY(check_known(config, name, place + " cascade"));
      }
      for (const std::string& text : placement.weights) {
        auto weight = parse_weight(text);
        if (!weight.ok()) return weight.error().prefixed(place + " weights");
        VT_TRY(check_known(config, weight->name, place + " weights"));
      }
    }
    return {};
  }

  static Status check_known(const Config& config, const std::string& name,
                            const std::string& place) {
    auto found = config.model(name);
    if (!found.ok()) return found.error().prefixed(place);
    return {};
  }

  const Table& table_;
  std::string_view file_;
};

template <class Options, class Names>
Result<const Options*> find_named(const std::vector<Options>& all, std::string_view name,
                                  std::string_view what, const Names& section_of) {
  std::vector<std::string_view> known;
  for (const Options& one : all) {
    if (one.name == name) return &one;
    known.push_back(one.name);
  }
  std::string text = "there is no " + std::string(what) + " '" + std::string(name) + "'";
  if (const std::string_view near = nearest(name, known); !near.empty()) {
    return Error{Code::kInvalid, text + "; did you mean '" + std::string(near) + "'?"};
  }
  return Error{Code::kInvalid, text + "; add " + section_of(name) + " to the configuration"};
}

}  // namespace

std::string Config::folder() const {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string Config::resolve(const std::string& relative) const {
  if (!relative.empty() && relative[0] == '/') return relative;
  const std::string base = folder();
  if (base == ".") return relative;
  return base == "/" ? "/" + relative : base + "/" + relative;
}

Result<const ModelConfig*> Config::model(std::string_view name) const {
  return find_named(models, name, "model",
                    [](std::string_view n) { return "[models." + std::string(n) + "]"; });
}

Result<const PlacementOptions*> Config::placement(std::string_view name) const {
  return find_named(placements, name, "placement",
                    [](std::string_view n) { return "[placements." + std::string(n) + "]"; });
}

int metric_cutoff(std::string_view metric) {
  const std::size_t at = metric.find('@');
  if (at == std::string_view::npos || at == 0) return 0;
  const std::string_view digits = metric.substr(at + 1);
  int cutoff = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), cutoff);
  const bool whole = failed == std::errc() && end == digits.data() + digits.size();
  return whole && cutoff > 0 && cutoff <= 10'000 ? cutoff : 0;
}

Result<EventTypes> event_types(const Config& config) {
  EventTypes types;
  for (const std::string& name : config.shop.event_types) VT_TRY(types.add(name));
  return types;
}

Result<Config> config_from_table(const Table& table, std::string path) {
  Config config;
  VT_TRY(ConfigReader(table, path).read(config));
  config.path = std::move(path);
  return config;
}

Result<Config> read_config(FileSystem& files, const std::string& path,
                           const std::vector<std::string>& overrides) {
  Table table;
  if (!path.empty()) {
    if (!file_exists(files, path)) {
      return Error{Code::kNotFound, path + ": no such file; `vitrine config > " + path +
                                        "` writes one to start from"};
    }
    VT_TRY(const std::string text, read_file(files, path));
    VT_TRY(table, parse_toml(text, path));
  }
  for (const std::string& text : overrides) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{Code::kInvalid, "'" + text + "' is not of the form section.key=value"};
    }
    const std::string_view key = std::string_view(text).substr(0, equals);
    auto set = set_path(table, key, std::string_view(text).substr(equals + 1));
    if (!set.ok()) return set.error().prefixed("'" + text + "'");
  }
  return config_from_table(table, path);
}

Table config_to_table(const Config& config) {
  Table table;
  table.set("shop", write_options(config.shop));
  table.set("cleaning", write_options(config.cleaning));
  table.set("histories", write_options(config.histories));
  table.set("interactions", write_options(config.interactions));
  table.set("split", write_options(config.split));
  table.set("evaluate", write_options(config.evaluate));
  table.set("train", write_options(config.train));
  table.set("pipeline", write_options(config.pipeline));
  table.set("server", write_options(config.server));
  table.set("log", write_options(config.log));
  table.set("live", write_options(config.live));
  Table models, placements;
  for (const ModelConfig& model : config.models) {
    Table options{{"kind", model.kind}};
    for (const auto& [key, value] : model.options) options.set(key, value);
    models.set(model.name, std::move(options));
  }
  for (const PlacementOptions& placement : config.placements) {
    placements.set(placement.name, write_options(placement));
  }
  table.set("models", std::move(models));
  table.set("placements", std::move(placements));
  if (!config.sources.empty()) {
    List sources;
    for (const SourceOptions& source : config.sources) sources.push_back(write_options(source));
    table.set("sources", std::move(sources));
  }
  return table;
}

}  // namespace vitrine
