#include "engine/recipe_splits.h"

#include <fmt/format.h>

#include <numeric>

#include "base/json.h"

namespace vitrine {
namespace {

constexpr const char* kGivenFiles = "the published files";

class Builder {
 public:
  Builder(const Run& run, FileSystem& files, const Recipe& recipe, const std::string& folder)
      : run_(run), files_(files), recipe_(recipe), folder_(folder) {}

  Result<RecipeSplits> build(RecipePart part) {
    VT_TRY(read_items());
    VT_TRY(part == RecipePart::kTest ? build_test() : build_validation());
    data_.catalogue.resize(data_.vocabulary.items.size());
    return std::move(data_);
  }

 private:
  Result<SourceOptions> located(const SourceOptions& source) const {
    SourceOptions out = source;
    out.path = folder_ + "/" + source.path;
    if (file_exists(files_, out.path)) return out;
    return Error{Code::kNotFound,
                 fmt::format("{} is not in {}: VITRINE_DATA must name the folder that holds the "
                             "recipes' data sets",
                             source.path, folder_)};
  }

  Status read(const SourceOptions& source, const ImportSink& sink) const {
    VT_TRY(const SourceOptions at, located(source));
    VT_TRY(import_source(run_, files_, at, types_, true, sink));
    return {};
  }

  Status read_items() {
    if (!recipe_.items) return {};
    ImportSink sink;
    sink.items = [&](std::span<const Item> items) -> Status {
      for (const Item& item : items) data_.catalogue.put(data_.vocabulary.add_item(item.id), item);
      return {};
    };
    return read(*recipe_.items, sink);
  }

  Status read_events(const SourceOptions& source, EventTable& table) {
    ImportSink sink;
    sink.events = [&](std::span<const Event> events) -> Status {
      for (const Event& event : events) table.add(event, table.size() + 1, data_.vocabulary);
      return {};
    };
    return read(source, sink);
  }

  // The histories of one table. Nothing is cleaned unless the recipe says so.
  Result<Histories> histories(const EventTable& table) {
    CleanView view;
    if (recipe_.cleaning) {
      VT_TRY(view,
             clean(run_, table, data_.vocabulary, data_.catalogue, types_, *recipe_.cleaning));
    } else {
      view.rows.resize(table.size());
      std::iota(view.rows.begin(), view.rows.end(), 0u);
      view.quantity = table.quantity;
    }
    return build_histories(run_, table, view, data_.vocabulary, types_, recipe_.histories);
  }

  // The column that [negatives] lists its items in: of each user, separated by spaces.
  Result<std::vector<std::vector<ItemIndex>>> read_negatives() {
    const std::string& column = recipe_.negatives->context.front();
    std::vector<std::vector<ItemIndex>> items;
    ImportSink sink;
    sink.events = [&](std::span<const Event> events) -> Status {
      for (const Event& event : events) {
        const std::size_t user = raw(data_.vocabulary.add_user(event.user));
        if (items.size() <= user) items.resize(user + 1);
        VT_TRY(add_listed(event.context, column, items[user]));
      }
      return {};
    };
    VT_TRY(read(*recipe_.negatives, sink));
    return items;
  }

  Status add_listed(const std::string& context, const std::string& column,
                    std::vector<ItemIndex>& items) {
    VT_TRY(const Value json, parse_json(context));
    const Value* listed = json.as_table() == nullptr ? nullptr : json.as_table()->find(column);
    if (listed == nullptr) return {};
    std::string text = listed->as_string() != nullptr ? *listed->as_string() : to_json(*listed);
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find(' ', begin), text.size());
      if (end > begin) {
        items.push_back(
            data_.vocabulary.add_item(std::string_view(text).substr(begin, end - begin)));
      }
      begin = end + 1;
    }
    return {};
  }

  Status build_test() {
    EventTable train;
    VT_TRY(read_events(recipe_.train, train));
    if (recipe_.validation_source) {
      VT_TRY(read_events(*recipe_.validation_source, train));
    }
    if (recipe_.test) return add_given_split(train);
    if (!recipe_.folds.files.empty()) return add_given_folds(train);
    VT_TRY(const Histories all, histories(train));
    if (recipe_.folds.count == 0) {
      VT_TRY(Split split, make_split(run_, all, recipe_.split));
      data_.splits.push_back(std::move(split));
      return {};
    }
    for (int fold = 0; fold < recipe_.folds.count; ++fold) {
      VT_TRY(Split split,
             make_fold(run_, all, recipe_.split, recipe_.folds.by, fold, recipe_.folds.count));
      data_.splits.push_back(std::move(split));
    }
    return {};
  }

  // Files are asked whole or, with [split] kind = "prefixes", after every prefix.
  Result<Split> between(const Histories& fitted, const Histories& asked, const char* what) const {
    return recipe_.split.kind == "prefixes" ? prefixes_from_files(fitted, asked, what)
                                            : split_from_files(fitted, asked, what);
  }

  Status add_given_split(const EventTable& train) {
    EventTable test;
    VT_TRY(read_events(*recipe_.test, test));
    std::vector<std::vector<ItemIndex>> negatives;
    if (recipe_.negatives) {
      VT_TRY(negatives, read_negatives());
    }
    VT_TRY(const Histories fitted, histories(train));
    VT_TRY(const Histories asked, histories(test));
    VT_TRY(Split split, between(fitted, asked, kGivenFiles));
    if (recipe_.negatives) {
      VT_TRY(split, against_given_items(split, negatives));
    }
    data_.splits.push_back(std::move(split));
    return {};
  }

  Status add_given_folds(const EventTable& all) {
    for (const std::string& file : recipe_.folds.files) {
      EventTable test;
      SourceOptions source = recipe_.train;
      source.path = file;
      VT_TRY(read_events(source, test));
      VT_TRY(const Histories asked, histories(test));
      VT_TRY(const Histories everything, histories(all));
      VT_TRY(Split split, split_from_files(without_pairs(everything, asked), asked, "given folds"));
      data_.splits.push_back(std::move(split));
    }
    return {};
  }

  Status build_validation() {
    if (!recipe_.validation_source && !recipe_.test) {
      VT_TRY(build_test());
      VT_TRY(Split inner, validation_split(run_, data_.splits.front(), recipe_.validation));
      data_.splits.clear();
      data_.splits.push_back(std::move(inner));
      return {};
    }
    EventTable train, test;
    VT_TRY(read_events(recipe_.train, train));
    if (recipe_.validation_source) {
      VT_TRY(read_events(*recipe_.validation_source, test));
    }
    VT_TRY(const Histories fitted, histories(train));
    if (!recipe_.validation_source) {
      VT_TRY(Split split, make_split(run_, fitted, recipe_.validation));
      data_.splits.push_back(std::move(split));
      return {};
    }
    VT_TRY(const Histories asked, histories(test));
    VT_TRY(Split split, between(fitted, asked, "the published validation file"));
    data_.splits.push_back(std::move(split));
    return {};
  }

  const Run& run_;
  FileSystem& files_;
  const Recipe& recipe_;
  const std::string& folder_;
  const EventTypes types_;
  RecipeSplits data_;
};

}  // namespace

Result<RecipeSplits> recipe_splits(const Run& run, FileSystem& files, const Recipe& recipe,
                                   const std::string& folder, RecipePart part) {
  const Run own{Random(kFirstSeed), run.pool, run.monitor};
  auto data = Builder(own, files, recipe, folder).build(part);
  if (data.ok() || data.error().code == Code::kCancelled) return data;
  return data.error().prefixed(recipe.path);
}

Result<Split> split_of_row(const Recipe& recipe, const RecipeModel& model, const Split& split) {
  if (model.weights.empty()) return split;
  HistoryOptions histories = recipe.histories;
  histories.weights = model.weights;
  VT_TRY(const EventWeights weights, event_weights(histories, EventTypes()));
  return with_weights(split, weights);
}

}  // namespace vitrine
