// What every row of all_models() promises. A new model is held to this without a line of its own.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <sstream>
#include <thread>

#include "base/toml.h"
#include "model/model.h"
#include "tests/memory_files.h"
#include "tests/model_worlds.h"

namespace vitrine {
namespace {

using testing::planted_world;
using testing::Visitor;
using testing::World;
using testing::world_of;
using testing::WorldShape;
using Lists = std::vector<std::vector<Candidate>>;

class ModelConformance : public ::testing::TestWithParam<std::string_view> {
 protected:
  const ModelKind& kind() const { return **find_model(GetParam()); }

  Result<std::unique_ptr<const Model>> try_fit(const World& world, int threads, Monitor& monitor,
                                               const Table& options = {}) const {
    ThreadPool pool(threads);
    return kind().fit(vitrine::Run{Random(7), pool, monitor}, options, world.set(), nullptr);
  }
  // Two epochs have every step of a fit and every place where it can be cancelled; only tests of
  // what was learned, and of its bytes, need them all.
  Table few_epochs() const {
    for (const FieldDoc& field : kind().describe()) {
      if (field.name == "epochs") return Table{{"epochs", 2}};
    }
    return {};
  }
  std::unique_ptr<const Model> fit(const World& world, int threads = 2) const {
    return fit(world, threads, few_epochs());
  }
  std::unique_ptr<const Model> fit(const World& world, int threads, const Table& options) const {
    QuietMonitor monitor;
    auto model = try_fit(world, threads, monitor, options);
    EXPECT_TRUE(model.ok()) << model.error().message;
    return std::move(model).value();
  }

  std::string save(const Model& model, const std::string& name) const {
    ArchiveWriter writer(files_, name, "model");
    model.save(writer);
    EXPECT_TRUE(writer.finish().ok());
    return name;
  }
  Result<std::unique_ptr<const Model>> load(const std::string& path,
                                            const Catalogue& catalogue) const {
    VT_TRY(auto reader, ArchiveReader::open(files_, path, "model"));
    return kind().load(*reader, catalogue);
  }
  std::string bytes(const Model& model, const std::string& name) const {
    return *read_file(files_, save(model, name));
  }

  mutable MemoryFiles files_;
};

std::vector<Query> queries_of(const World& world) {
  std::vector<Query> queries;
  for (const Visitor& visitor : world.visitors) {
    Query query;
    query.history = visitor.history;
    query.now = 10 * kDay;
    queries.push_back(query);
  }
  return queries;
}

Lists lists_of(const Model& model, std::span<const Query> queries, std::span<const ItemMask> masks,
               int n) {
  CandidateBlock block;
  model.retrieve(queries, masks, n, block);
  EXPECT_EQ(block.queries(), queries.size());
  Lists lists;
  for (std::size_t q = 0; q < queries.size(); ++q) {
    lists.emplace_back(block.row(q).begin(), block.row(q).end());
  }
  return lists;
}

Lists lists_of(const Model& model, std::span<const Query> queries, int n) {
  const ItemMask everything;
  return lists_of(model, queries, {&everything, 1}, n);
}

std::vector<float> scores_of(const Model& model, const Query& query, std::uint32_t items) {
  std::vector<ItemIndex> all;
  for (std::uint32_t i = 0; i < items; ++i) all.push_back(ItemIndex{i});
  std::vector<float> scores(items);
  model.score(query, all, scores);
  return scores;
}

TEST_P(ModelConformance, SameBytesForAnyNumberOfThreads) {
  const World world = planted_world(1);
  const std::string one = bytes(*fit(world, 1, {}), "one");
  EXPECT_EQ(one, bytes(*fit(world, 2, {}), "two"));
  EXPECT_EQ(one, bytes(*fit(world, 5, {}), "five"));
}

TEST_P(ModelConformance, SavedAndLoadedIsTheSame) {
  const World world = planted_world(2);
  const auto model = fit(world);
  const auto loaded = load(save(*model, "model"), world.catalogue);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  const auto queries = queries_of(world);
  EXPECT_EQ(lists_of(*model, queries, 20), lists_of(**loaded, queries, 20));
  EXPECT_EQ(bytes(*model, "again"), bytes(**loaded, "loaded"));
}

// Says cancel at the given call.
class CancellingMonitor final : public Monitor {
 public:
  explicit CancellingMonitor(int at) : left_(at) {}
  void begin(std::string_view, std::uint64_t, std::string_view) override {}
  Verdict advance(std::uint64_t) override {
    return --left_ == 0 ? Verdict::kCancel : Verdict::kContinue;
  }
  void end() override {}
  void note(std::string_view) override {}
  Usage usage() override { return {}; }

 private:
  std::atomic<int> left_;
};

TEST_P(ModelConformance, CancellingLeavesNothing) {
  const World world = planted_world(3);
  bool finished = false;
  for (int at = 1; !finished; ++at) {
    ASSERT_LT(at, 10'000);
    CancellingMonitor monitor(at);
    const auto model = try_fit(world, 2, monitor, few_epochs());
    finished = model.ok();
    if (finished) {
      EXPECT_GT(at, 1) << "fitting never asks the monitor";
    } else {
      EXPECT_EQ(model.error().code, Code::kCancelled) << model.error().message;
    }
  }
}

TEST_P(ModelConformance, AnswersForNoHistoryAtAll) {
  const World world = planted_world(4);
  const auto model = fit(world);
  const Query nobody;
  const auto lists = lists_of(*model, {&nobody, 1}, 10);
  EXPECT_TRUE(lists[0].empty() || lists[0].size() == 10);
  for (const float score : scores_of(*model, nobody, 130)) EXPECT_TRUE(std::isfinite(score));
  EXPECT_TRUE(lists_of(*model, {}, 10).empty());
  EXPECT_TRUE(lists_of(*model, {&nobody, 1}, 0)[0].empty());
}

TEST_P(ModelConformance, IgnoresUnknownItems) {
  const World world = planted_world(5);
  const auto model = fit(world);
  for (std::size_t v = 0; v < 20; ++v) {
    std::vector<HistoryEvent> history = world.visitors[v].history, longer = history;
    for (const std::uint32_t unknown : {world.histories.items(), 1'000'000u, raw(kNoItem)}) {
      longer.push_back(history.back());
      longer.back().item = ItemIndex{unknown};
    }
    Query query, longer_query;
    query.history = history;
    longer_query.history = longer;
    EXPECT_EQ(lists_of(*model, {&query, 1}, 10), lists_of(*model, {&longer_query, 1}, 10));
    const ItemIndex unknown{1'000'000};
    float score = 1;
    model->score(query, {&unknown, 1}, {&score, 1});
    EXPECT_EQ(score, 0);
  }
}

TEST_P(ModelConformance, FitsTheSmallestShops) {
  HistoryEvent event{ItemIndex{0}, EventType::kPurchase};
  HistoryEvent other{ItemIndex{1}, EventType::kPurchase};
  const std::vector<World> worlds = [&] {
    std::vector<World> w;
    w.push_back(world_of({}, 0));         // nothing
    w.push_back(world_of({}, 5));         // items that nobody took
    w.push_back(world_of({{}, {}}, 3));   // users without events
    w.push_back(world_of({{event}}, 1));  // one user, one item
    w.push_back(world_of({{event, other, event}}, 2));
    return w;
  }();
  for (const World& world : worlds) {
    const auto model = fit(world);
    Query query;
    query.history = {&event, 1};
    const Lists lists = lists_of(*model, {&query, 1}, 10);
    for (const Candidate& c : lists[0]) {
      EXPECT_LT(raw(c.item), world.histories.items());
    }
    const auto loaded = load(save(*model, "small"), world.catalogue);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(lists_of(*model, {&query, 1}, 10), lists_of(**loaded, {&query, 1}, 10));
  }
}

// Purchases of these items; every event has this weight and value.
World world_of_items(const std::vector<std::vector<std::uint32_t>>& rows, std::uint32_t items,
                     float weight, const InteractionOptions& merge = {}) {
  std::vector<std::vector<HistoryEvent>> events;
  for (const auto& row : rows) {
    events.emplace_back();
    for (std::size_t e = 0; e < row.size(); ++e) {
      HistoryEvent event{ItemIndex{row[e]}, EventType::kPurchase};
      event.value = event.weight = weight;
      event.time = static_cast<Timestamp>(e) * kSecond;
      event.group = static_cast<std::uint32_t>(e / 2);
      events.back().push_back(event);
    }
  }
  return world_of(events, items, merge);
}

InteractionOptions merge_by(const char* merge) {
  InteractionOptions options;
  options.merge = merge;
  options.binary = false;
  return options;
}

std::vector<World> odd_worlds() {
  std::vector<World> worlds;
  for (const float weight : {1e-6f, 1.0f, 5.0f, 1e6f}) {
    worlds.push_back(world_of_items({{0, 1, 2}, {0, 1, 2}, {0, 1, 2}, {0, 1, 2}}, 3, weight));
    worlds.push_back(world_of_items({{0}, {1}, {2}, {3}}, 4, weight));  // disconnected
    worlds.push_back(world_of_items({{0, 1}, {0, 1}, {2, 3}, {2, 3}}, 9, weight));
    worlds.push_back(world_of_items({{4, 4, 4, 4, 4, 4}, {4, 5}}, 200, weight));
    worlds.push_back(world_of_items({{0, 1, 0}, {1, 2}, {0, 2}}, 3, weight, merge_by("max")));
    std::vector<std::uint32_t> again(3000, 1);  // sums of weights far above any single one
    again.back() = 2;
    worlds.push_back(world_of_items({again, {1, 2}, {2, 0}}, 3, weight, merge_by("sum")));
  }
  std::vector<std::vector<std::uint32_t>> star(40);  // one item that all took, and nothing else
  for (auto& row : star) row = {7};
  worlds.push_back(world_of_items(star, 8, 1));
  std::vector<std::uint32_t> endless(2000);
  for (std::size_t e = 0; e < endless.size(); ++e) endless[e] = static_cast<std::uint32_t>(e) % 50;
  worlds.push_back(world_of_items({endless, {1, 2}, {}}, 50, 1));
  return worlds;
}

TEST_P(ModelConformance, OddShopsGiveDefinedResults) {
  for (const World& world : odd_worlds()) {
    ThreadPool pool(2);
    QuietMonitor monitor;
    const auto model =
        kind().fit(vitrine::Run{Random(7), pool, monitor}, few_epochs(), world.set(), nullptr);
    if (!model.ok()) {  // such as sums that overflow: said, not hidden
      EXPECT_EQ(model.error().code, Code::kInvalid) << model.error().message;
      continue;
    }
    const std::uint32_t items = world.histories.items();
    const auto loaded = load(save(**model, "odd"), world.catalogue);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    for (std::size_t r = 0; r < world.histories.rows(); r += 3) {
      Query query;
      query.history = world.histories.row(r);
      query.user = world.histories.user(r);
      const Lists lists = lists_of(**model, {&query, 1}, 20);
      for (const Candidate& c : lists[0]) {
        EXPECT_LT(raw(c.item), items);
        EXPECT_TRUE(std::isfinite(c.score)) << raw(c.item);
      }
      EXPECT_EQ(lists, lists_of(**loaded, {&query, 1}, 20));
      for (const float score : scores_of(**model, query, items)) EXPECT_TRUE(std::isfinite(score));
    }
  }
}

// Rows that no user has, and cells that are sums of repeats.
TEST_P(ModelConformance, AnswersSessionsAndWeighedRepeats) {
  WorldShape shape;
  shape.sessions = 120;
  shape.merge = merge_by("sum");
  const World world = planted_world(14, shape);
  const auto model = fit(world);
  const auto loaded = load(save(*model, "model"), world.catalogue);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  const std::uint32_t items = world.histories.items();
  std::vector<Query> queries;
  for (std::size_t r = 0; r < world.histories.rows(); r += 7) {
    Query query;
    query.history = world.histories.row(r);
    query.user = world.histories.user(r);
    queries.push_back(query);
  }
  const Lists all = lists_of(*model, queries, static_cast<int>(items));
  EXPECT_EQ(all, lists_of(**loaded, queries, static_cast<int>(items)));
  for (std::size_t q = 0; q < queries.size(); ++q) {
    EXPECT_FALSE(all[q].empty());
    const std::vector<float> scores = scores_of(*model, queries[q], items);
    for (const Candidate& c : all[q]) EXPECT_EQ(scores[raw(c.item)], c.score);
    EXPECT_EQ(all[q], lists_of(*model, {&queries[q], 1}, static_cast<int>(items))[0]);
  }
}

// The ends of an option's range, and each of its choices. Integers end at 200: what is more only
// takes longer.
std::vector<Value> ends_of(const FieldDoc& field) {
  std::vector<Value> ends;
  if (field.type == "boolean") return {true, false};
  if (field.type == "string") {
    std::istringstream choices(field.range);
    for (std::string choice; std::getline(choices >> std::ws, choice, ',');)
      ends.emplace_back(choice);
  }
  const std::size_t to = field.range.find(" to ");
  if (to == std::string::npos) return ends;
  for (const std::string& end : {field.range.substr(0, to), field.range.substr(to + 4)}) {
    if (field.type == "integer")
      ends.emplace_back(std::min<std::int64_t>(200, std::stoll(end)));
    else if (field.type == "number")
      ends.emplace_back(std::stod(end));
  }
  return ends;
}

// Errors are allowed; what is fitted answers with numbers, and the same when it is loaded.
TEST_P(ModelConformance, EveryOptionAtItsEndsIsAnErrorOrDefined) {
  const World world = planted_world(15, {24, 2, 6, 2, 2, 8, merge_by("max")});
  const std::uint32_t items = world.histories.items();
  const auto queries = queries_of(world);
  ThreadPool pool(2);
  for (const FieldDoc& field : kind().describe()) {
    for (const Value& end : ends_of(field)) {
      SCOPED_TRACE(to_toml({{field.name, end}}));
      QuietMonitor monitor;
      Table options = few_epochs();
      options.set(field.name, end);
      const auto model =
          kind().fit(vitrine::Run{Random(7), pool, monitor}, options, world.set(), nullptr);
      if (!model.ok()) {
        const Code code = model.error().code;
        EXPECT_TRUE(code == Code::kInvalid || code == Code::kExhausted) << model.error().message;
        continue;
      }
      const auto loaded = load(save(**model, "ends"), world.catalogue);
      ASSERT_TRUE(loaded.ok()) << loaded.error().message;
      EXPECT_EQ(lists_of(**model, queries, 10), lists_of(**loaded, queries, 10));
      for (const Query& query : queries) {
        for (const float score : scores_of(**model, query, items)) {
          EXPECT_TRUE(std::isfinite(score));
        }
      }
    }
  }
}

TEST_P(ModelConformance, BeatsRandomListsOnPlantedStructure) {
  const World world = planted_world(6);
  const auto model = fit(world, 2, {});
  const auto queries = queries_of(world);
  double hits = 0, expected = 0;
  for (std::size_t v = 0; v < queries.size(); ++v) {
    std::vector<ItemIndex> seen;
    for (const HistoryEvent& e : queries[v].history) seen.push_back(e.item);
    std::sort(seen.begin(), seen.end());
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    ItemMask mask;
    mask.excluded = seen;
    const Lists lists = lists_of(*model, {&queries[v], 1}, {&mask, 1}, 10);
    for (const Candidate& c : lists[0]) {
      hits += c.item == world.visitors[v].next;
    }
    expected += 10.0 / (world.histories.items() - static_cast<double>(seen.size()));
  }
  EXPECT_GT(hits, 1.5 * expected);
}

TEST_P(ModelConformance, RetrieveAgreesWithScore) {
  const World world = planted_world(7);
  const auto model = fit(world);
  const std::uint32_t items = world.histories.items();
  const auto queries = queries_of(world);
  const Lists all = lists_of(*model, queries, static_cast<int>(items) + 5);
  const Lists ten = lists_of(*model, queries, 10);
  for (std::size_t q = 0; q < queries.size(); ++q) {
    const std::vector<float> scores = scores_of(*model, queries[q], items);
    EXPECT_TRUE(std::is_sorted(all[q].begin(), all[q].end(), better));
    std::vector<bool> listed(items);
    for (const Candidate& c : all[q]) {
      EXPECT_EQ(scores[raw(c.item)], c.score);
      EXPECT_FALSE(listed[raw(c.item)]) << "listed twice";
      listed[raw(c.item)] = true;
    }
    const float least = all[q].empty() ? 0 : std::max(0.0f, all[q].back().score);
    for (std::uint32_t i = 0; i < items; ++i) {
      EXPECT_TRUE(listed[i] || scores[i] <= least);
    }
    const std::size_t n = std::min<std::size_t>(10, all[q].size());
    EXPECT_EQ(ten[q], std::vector<Candidate>(all[q].begin(),
                                             all[q].begin() + static_cast<std::ptrdiff_t>(n)));
  }
}

// Who was fitted on, with the history of then: a row that was learned must answer like anything
// else.
TEST_P(ModelConformance, AnswersForThePersonsItWasFittedOn) {
  const World world = planted_world(13);
  const auto model = fit(world);
  const auto loaded = load(save(*model, "model"), world.catalogue);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  const std::uint32_t items = world.histories.items();
  std::vector<Query> queries;
  for (std::uint32_t user = 0; user < 40; ++user) {
    Query query;
    query.user = UserIndex{user % 39 == 0 ? 1'000'000 + user : user};  // and who came later
    query.history = world.histories.row(user);
    query.now = 10 * kDay;
    queries.push_back(query);
    query.history = query.history.first(query.history.size() / 2);  // or has changed
    queries.push_back(query);
  }
  const Lists all = lists_of(*model, queries, static_cast<int>(items));
  EXPECT_EQ(all, lists_of(**loaded, queries, static_cast<int>(items)));
  for (std::size_t q = 0; q < queries.size(); ++q) {
    EXPECT_FALSE(all[q].empty());
    const std::vector<float> scores = scores_of(*model, queries[q], items);
    for (const Candidate& c : all[q]) EXPECT_EQ(scores[raw(c.item)], c.score);
    EXPECT_EQ(all[q], lists_of(*model, {&queries[q], 1}, static_cast<int>(items))[0]);
  }
}

TEST_P(ModelConformance, ObeysMasks) {
  const World world = planted_world(8);
  const auto model = fit(world);
  const std::uint32_t items = world.histories.items();
  const Random random(9);
  Bitmap allowed(items - 3);
  for (std::uint32_t i = 0; i < items - 3; ++i) allowed.set(i, random.below(i, 3) > 0);
  std::vector<ItemIndex> excluded;
  for (std::uint32_t i = 0; i < items; i += 7) excluded.push_back(ItemIndex{i});
  const ItemMask mask{&allowed, excluded};
  const auto queries = queries_of(world);
  const Lists all = lists_of(*model, queries, static_cast<int>(items));
  const Lists masked = lists_of(*model, queries, {&mask, 1}, 12);
  for (std::size_t q = 0; q < queries.size(); ++q) {
    std::vector<Candidate> expected;
    for (const Candidate& c : all[q]) {
      if (mask.allows(c.item) && expected.size() < 12) expected.push_back(c);
    }
    EXPECT_EQ(masked[q], expected);
  }
  const Bitmap nothing(items);
  const ItemMask closed{&nothing, {}};
  for (const auto& list : lists_of(*model, queries, {&closed, 1}, 12)) EXPECT_TRUE(list.empty());
}

TEST_P(ModelConformance, ABatchIsItsSingles) {
  const World world = planted_world(10);
  const auto model = fit(world);
  const auto queries = queries_of(world);
  std::vector<ItemIndex> first{ItemIndex{0}, ItemIndex{1}, ItemIndex{2}};
  std::vector<ItemMask> masks(queries.size());
  for (std::size_t q = 0; q < masks.size(); q += 2) masks[q].excluded = first;
  const Lists batch = lists_of(*model, queries, masks, 15);
  for (std::size_t q = 0; q < queries.size(); ++q) {
    EXPECT_EQ(batch[q], lists_of(*model, {&queries[q], 1}, {&masks[q], 1}, 15)[0]);
  }
}

TEST_P(ModelConformance, AnswersSeveralThreadsAtOnce) {
  const World world = planted_world(11);
  const auto model = fit(world);
  const auto queries = queries_of(world);
  const Lists expected = lists_of(*model, queries, 10);
  std::vector<Lists> got(4);
  std::vector<std::thread> threads;
  for (Lists& lists : got) {
    threads.emplace_back([&model, &queries, &lists] { lists = lists_of(*model, queries, 10); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Lists& lists : got) EXPECT_EQ(lists, expected);
}

TEST_P(ModelConformance, OptionsAreCheckedAndComplete) {
  const Result<Table> defaults = kind().complete(Table());
  ASSERT_TRUE(defaults.ok());
  EXPECT_EQ(defaults->size(), kind().describe().size());
  for (const FieldDoc& field : kind().describe()) {
    EXPECT_NE(defaults->find(field.name), nullptr) << field.name;
    EXPECT_FALSE(field.help.empty()) << field.name;
  }
  EXPECT_EQ(*kind().complete(*defaults), *defaults);
  const std::string typo = kind().describe().front().name + "x";
  const auto wrong = kind().complete(Table{{typo, 1}});
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().code, Code::kInvalid);
  EXPECT_NE(wrong.error().message.find(kind().describe().front().name), std::string::npos);
}

// Copies the archive at `from`, with one value of one tensor or one document spoilt. False when the
// entry has no `spoil`-th way to be spoilt.
template <class T>
bool copy_tensor(ArchiveReader& reader, ArchiveWriter& writer, const std::string& name, int spoil) {
  auto tensor = reader.tensor<T>(name);
  if (!tensor.ok()) return false;
  auto shape = reader.shape(name);
  std::vector<T> values(tensor->begin(), tensor->end());
  const T huge = std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity()
                                                      : std::numeric_limits<T>::max();
  if (spoil == 0 && !values.empty()) values.front() = huge;
  if (spoil == 1 && !values.empty()) values[values.size() / 2] = huge;
  if (spoil == 2 && !values.empty()) values.back() = huge;
  if (spoil == 3 && values.size() > 1) std::swap(values.front(), values.back());
  if (spoil >= 4) {
    if (spoil == 4 && !values.empty()) values.pop_back();
    if (spoil == 5) values.push_back(T{1});
    if (spoil == 6) values.clear();
    shape = std::vector<std::int64_t>{static_cast<std::int64_t>(values.size())};
  }
  writer.tensor(name, std::span<const T>(values), *shape);
  return true;
}

void copy_entry(ArchiveReader& reader, ArchiveWriter& writer, const std::string& name, int spoil) {
  if (copy_tensor<std::uint32_t>(reader, writer, name, spoil) ||
      copy_tensor<std::uint64_t>(reader, writer, name, spoil) ||
      copy_tensor<std::uint16_t>(reader, writer, name, spoil) ||
      copy_tensor<std::uint8_t>(reader, writer, name, spoil) ||
      copy_tensor<std::int64_t>(reader, writer, name, spoil) ||
      copy_tensor<std::int32_t>(reader, writer, name, spoil) ||
      copy_tensor<double>(reader, writer, name, spoil) ||
      copy_tensor<float>(reader, writer, name, spoil)) {
    return;
  }
  const std::vector<Value> wrong{nullptr, -1, 3, 4'000'000'000, "text", Table{{"x", 1}}, List{1}};
  if (spoil >= 0)
    writer.document(name, wrong[static_cast<std::size_t>(spoil)]);
  else
    writer.document(name, *reader.document(name));
}

TEST_P(ModelConformance, ASpoiltArchiveIsRefusedOrHarmless) {
  const World world = planted_world(12, {60, 3, 6, 3, 3});
  const std::string path = save(*fit(world), "whole");
  auto queries = queries_of(world);
  queries.resize(5);  // asked of some hundred archives
  auto reader = ArchiveReader::open(files_, path, "model");
  ASSERT_TRUE(reader.ok());
  for (const std::string& entry : (*reader)->names()) {
    for (int spoil = 0; spoil < 7; ++spoil) {
      const std::string spoilt = "spoilt";
      ArchiveWriter writer(files_, spoilt, "model");
      for (const std::string& name : (*reader)->names()) {
        copy_entry(**reader, writer, name, name == entry ? spoil : -1);
      }
      ASSERT_TRUE(writer.finish().ok());
      const auto model = load(spoilt, world.catalogue);
      if (!model.ok()) {
        EXPECT_EQ(model.error().code, Code::kCorrupt) << entry << ": " << model.error().message;
        continue;
      }
      for (const auto& list : lists_of(**model, queries, 10)) {
        for (const Candidate& c : list) EXPECT_FALSE(std::isnan(c.score)) << entry;
      }
      for (const Query& query : queries) scores_of(**model, query, world.histories.items() + 5);
    }
  }
}

std::vector<std::string_view> names() {
  std::vector<std::string_view> names;
  for (const ModelKind& kind : all_models()) names.push_back(kind.name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(AllModels, ModelConformance, ::testing::ValuesIn(names()),
                         [](const auto& row) { return std::string(row.param); });

TEST(AllModels, AnUnknownNameIsToldTheNearest) {
  EXPECT_TRUE(find_model("item_knn").ok());
  const auto wrong = find_model("itemknn");
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().code, Code::kInvalid);
  EXPECT_NE(wrong.error().message.find("did you mean \"item_knn\""), std::string::npos);
}

}  // namespace
}  // namespace vitrine
