// Asking: what a request means in indexes, the pipeline, and the answer in outside ids.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "engine/because.h"
#include "engine/limits.h"
#include "engine/slate_record.h"
#include "engine/state.h"
#include "rank/explain.h"

namespace vitrine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kExplainReasons = 10;  // of one item under one model

Status check_n(int n) {
  if (n >= 1 && n <= kListMax) return {};
  return Error{Code::kInvalid, fmt::format("n is {}, it must be from 1 to {}", n, kListMax)};
}

Status check_count(std::string_view what, std::size_t count, std::size_t max) {
  if (count <= max) return {};
  return Error{Code::kInvalid, fmt::format("{} {}, at most {} are taken", count, what, max)};
}

Status check_categories(std::span<const std::string> categories) {
  for (std::size_t i = 0; i < categories.size(); ++i) {
    if (categories[i].size() > kCategoryBytesMax)
      return Error{Code::kInvalid,
                   fmt::format("categories[{}]: longer than {} bytes", i, kCategoryBytesMax)};
  }
  return {};
}

Status check_request(const RecommendRequest& request) {
  VT_TRY(check_n(request.n));
  if (!request.user.empty()) VT_TRY(check_id(request.user, "user"));
  if (!request.session.empty()) VT_TRY(check_id(request.session, "session"));
  if (!request.item.empty()) VT_TRY(check_id(request.item, "item"));
  VT_TRY(check_count("history events", request.history.size(), kRequestHistoryMax));
  VT_TRY(check_count("excluded items", request.exclude.size(), kRequestIdsMax));
  VT_TRY(check_count("items in the cart", request.cart.size(), kRequestIdsMax));
  VT_TRY(check_count("categories", request.categories.size(), kCategoryMasksMax));
  VT_TRY(check_categories(request.categories));
  const std::string& repeat = request.repeat;
  if (repeat.empty() || repeat == "never" || repeat == "after_cycle" || repeat == "always")
    return {};
  return Error{Code::kInvalid, "repeat is '" + repeat + "', expected never, after_cycle or always"};
}

void sort_unique(std::vector<ItemIndex>& items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
}

// One request in indexes: everything that run_pipeline() refers to. Stays where it was made.
class Question {
 public:
  // The time that the request leaves counts from `asked`.
  Question(Engine::State& state, const RecommendRequest& request, Clock::time_point asked,
           Pinned pinned)
      : state_(state), request_(request), asked_(asked), pinned_(std::move(pinned)) {}
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  Status prepare() {
    VT_TRY(placement_, state_.config.placement(request_.placement));
    VT_TRY(find_history());
    find_context();
    find_excluded();
    if (!request_.categories.empty()) {
      category_mask_ = state_.category_masks.find(*pinned_.catalogue, request_.categories);
    }
    find_new_items();
    return find_sources();
  }

  const Pinned& pinned() const { return pinned_; }
  const PlacementSources& sources() const { return *sources_; }
  const Query& query() const { return query_; }
  bool degraded() const { return pinned_.serving == nullptr; }
  const Bitmap& allowed() const {
    return category_mask_ ? *category_mask_ : pinned_.catalogue->available();
  }
  bool excluded(ItemIndex item) const {
    return std::binary_search(excluded_.begin(), excluded_.end(), item);
  }

  PipelineRequest pipeline_request() const {
    PipelineRequest out;
    out.query = query_;
    out.allowed = &allowed();
    out.excluded = excluded_;
    out.n = request_.n;
    out.explain = request_.explain;
    out.cascade = sources_->cascade;
    if (request_.ms_left) {
      out.is_late = [until = asked_ + Milliseconds(*request_.ms_left)] {
        return Clock::now() >= until;
      };
    }
    out.fallback = sources_->fallback;
    if (sources_->fallback != nullptr) out.fallback_name = sources_->fallback_name;
    if (!new_items_.empty()) {
      out.exploration.candidates = new_items_;
      out.exploration.share = placement_->new_items;
      out.exploration.random = Random(state_.slate_key).fork(state_.slate_counter.fetch_add(1));
    }
    return out;
  }

 private:
  // The live history of the user, or of the session of somebody unknown, then what the request
  // brings.
  Status find_history() {
    const Vocabulary& vocabulary = pinned_.live->vocabulary();
    if (!request_.user.empty()) query_.user = vocabulary.user(request_.user);
    Person person{kNoUser, request_.session};
    if (query_.user) person = {*query_.user, {}};
    VT_TRY(history_, pinned_.live->people().history(person));
    VT_TRY(excluded_, pinned_.live->people().unwanted(person));
    query_.now = request_.now == kNoTime ? state_.clock() : request_.now;
    std::uint32_t group = history_.empty() ? 0 : history_.back().group + 1;
    for (const Event& event : request_.history) {
      const auto item = vocabulary.item(event.item);
      const float weight = state_.weights[static_cast<std::size_t>(event.type)];
      if (!item || !(weight > 0)) continue;
      history_.push_back(
          {*item, event.type, 1, weight, event.time == kNoTime ? query_.now : event.time, group});
    }
    // What a person has is never shown again however long ago, but models are asked with the
    // latest.
    const std::span<const HistoryEvent> all = history_;
    query_.history = all.last(std::min(all.size(), kQueryHistoryMax));
    return {};
  }

  void find_context() {
    const Vocabulary& vocabulary = pinned_.live->vocabulary();
    context_.placement = request_.placement;
    if (!request_.item.empty()) context_.item = vocabulary.item(request_.item);
    for (const std::string& id : request_.cart) {
      if (const auto item = vocabulary.item(id)) context_.cart.push_back(*item);
    }
    context_.attributes = request_.context;
    query_.context = &context_;
  }

  // What the person does not want, what was asked to be left out, what is being looked at or lies
  // in the cart, and, under the repeat policy, what the person has.
  void find_excluded() {
    for (const std::string& id : request_.exclude) {
      if (const auto item = pinned_.live->vocabulary().item(id)) excluded_.push_back(*item);
    }
    if (context_.item) excluded_.push_back(*context_.item);
    excluded_.insert(excluded_.end(), context_.cart.begin(), context_.cart.end());
    const std::string& repeat = request_.repeat.empty() ? placement_->repeat : request_.repeat;
    const double cycle = placement_->cycle_days * static_cast<double>(kDay);
    for (const HistoryEvent& event : history_) {
      const double age = static_cast<double>(query_.now) - static_cast<double>(event.time);
      if (repeat == "never" || (repeat == "after_cycle" && age < cycle))
        excluded_.push_back(event.item);
    }
    sort_unique(excluded_);
  }

  // Some places may be given to them, unless the request names its models.
  void find_new_items() {
    if (!pinned_.serving || !(placement_->new_items > 0) || !request_.models.empty()) return;
    const ItemMask mask{&allowed(), excluded_};
    new_items_ =
        state_.new_items.candidates(*pinned_.catalogue, pinned_.serving->snapshot->manifest.items,
                                    query_.history, mask, query_.now);
  }

  Status find_sources() {
    if (!pinned_.serving) return {};
    const auto known = pinned_.serving->placements.find(request_.placement);
    VT_CHECK(known != pinned_.serving->placements.end());
    if (request_.models.empty()) {
      sources_ = &known->second;
      return {};
    }
    PlacementOptions named = *placement_;
    named.models = request_.models;
    named_ = placement_sources(*pinned_.serving->snapshot, named);
    sources_ = &named_;
    if (named_.missing.empty()) return {};
    std::vector<std::string_view> names;
    for (const NamedModel& model : pinned_.serving->snapshot->models) names.push_back(model.name);
    std::string text = "snapshot " + pinned_.serving->snapshot->manifest.name + " has no model '" +
                       named_.missing.front() + "'";
    const std::string_view near = nearest(named_.missing.front(), names);
    if (!near.empty()) text += "; did you mean '" + std::string(near) + "'?";
    return Error{Code::kInvalid, std::move(text)};
  }

  using Milliseconds = std::chrono::duration<double, std::milli>;

  Engine::State& state_;
  const RecommendRequest& request_;
  const Clock::time_point asked_;
  const Pinned pinned_;
  const PlacementOptions* placement_ = nullptr;
  std::vector<HistoryEvent> history_;
  Context context_;
  std::vector<ItemIndex> excluded_;
  std::vector<Candidate> new_items_;
  std::shared_ptr<const Bitmap> category_mask_;
  const PlacementSources* sources_ = &named_;
  PlacementSources named_;  // by the request
  Query query_;
};

// A list by live counters.
Slate live_slate(std::span<const Candidate> candidates, int n) {
  Slate slate;
  for (const Candidate& candidate : candidates) {
    slate.items.push_back({candidate.item, candidate.score, 1, "live", {}});
  }
  if (slate.items.size() < static_cast<std::size_t>(n)) {
    slate.shortfall = "fewer items than that were wanted and may be shown";
  }
  return slate;
}

// The best of all time: without a snapshot.
Slate live_popular(const Pinned& pinned, int n, const Bitmap& allowed,
                   const std::function<bool(ItemIndex)>& excluded) {
  const auto shown = [&](ItemIndex item) { return allowed.test(raw(item)) && !excluded(item); };
  return live_slate(pinned.live->people().popular({}, static_cast<std::size_t>(n), shown), n);
}

AnsweredReason answered(const Reason& reason, const Engine::State& state, const Pinned& pinned) {
  return {std::string(pinned.live->vocabulary().id(reason.item)),
          std::string(pinned.catalogue->title(reason.item)),
          std::string(state.types.name(reason.type)), reason.time, reason.share};
}

AnsweredItem answered(const SlateItem& item, const Engine::State& state, const Pinned& pinned) {
  AnsweredItem out;
  out.id = pinned.live->vocabulary().id(item.item);
  out.title = pinned.catalogue->title(item.item);
  out.score = item.score;
  out.propensity = item.propensity;
  out.source = item.source;
  for (const Reason& reason : item.reasons) out.reasons.push_back(answered(reason, state, pinned));
  out.because = because_sentence(out.reasons);
  return out;
}

Answer answered(const Slate& slate, Engine::State& state, const Pinned& pinned) {
  Answer answer;
  answer.slate_id = state.next_slate_id();
  if (pinned.serving) answer.snapshot = pinned.serving->snapshot->manifest.name;
  answer.sequence = pinned.sequence;
  answer.items.reserve(slate.items.size());
  for (const SlateItem& item : slate.items) answer.items.push_back(answered(item, state, pinned));
  answer.degraded = slate.degraded;
  answer.shortfall = slate.shortfall;
  return answer;
}

// Every answer leaves a record before nobody has to wait for it.
// `frozen`: of which this is the page at `offset`, or null.
Answer finish(const Slate& slate, Engine::State& state, const Pinned& pinned,
              const RecommendRequest& request, const FrozenSlate* frozen = nullptr,
              std::size_t offset = 0) {
  Answer answer = answered(slate, state, pinned);
  if (frozen != nullptr) answer.snapshot = frozen->snapshot;
  if (pinned.sequence < request.min_sequence) {
    answer.degraded +=
        fmt::format("{}out of time: sequence {} is not there yet, only {}",
                    answer.degraded.empty() ? "" : "; ", request.min_sequence, pinned.sequence);
  }
  std::vector<ItemIndex> fresh;
  for (const SlateItem& item : slate.items) {
    if (pinned.serving && raw(item.item) >= pinned.serving->snapshot->manifest.items)
      fresh.push_back(item.item);
  }
  if (!fresh.empty()) state.new_items.shown(fresh, state.clock());
  if (state.slates) state.slates->add(slate_record(answer, request, state.clock(), offset));
  return answer;
}

// What the person does not want to see, as of now.
Result<std::vector<ItemIndex>> unwanted_by(const FrozenSlate& frozen, const Live& live) {
  const auto user = live.vocabulary().user(frozen.user);
  return live.people().unwanted(user ? Person{*user, {}} : Person{kNoUser, frozen.session});
}

// The items of a frozen list that come next. What may not be shown any more is passed over.
Result<Answer> next_page(Engine::State& state, const Pinned& pinned,
                         const RecommendRequest& request) {
  auto token = PageToken::parse(request.next);
  if (!token) return Error{Code::kInvalid, "next: is no token of an answer"};
  const auto frozen = state.pages.find(token->id);
  if (!frozen) {
    return Error{Code::kNotFound,
                 "next: this list is no longer kept; ask for it anew (it was too long ago, or the "
                 "server has started since)"};
  }
  VT_TRY(const auto unwanted, unwanted_by(*frozen, *pinned.live));
  const auto n = static_cast<std::size_t>(request.n);
  const std::size_t offset = token->offset;
  Slate slate;
  while (token->offset < frozen->items.size() && slate.items.size() < n) {
    const SlateItem& item = frozen->items[token->offset++];
    if (pinned.catalogue->available().test(raw(item.item)) &&
        std::find(unwanted.begin(), unwanted.end(), item.item) == unwanted.end())
      slate.items.push_back(item);
  }
  if (slate.items.size() < n) slate.shortfall = "the list ends here";
  RecommendRequest record;
  record.user = frozen->user;
  record.session = frozen->session;
  record.placement = frozen->placement;
  record.item = frozen->item;
  record.n = request.n;
  record.min_sequence = request.min_sequence;
  Answer answer = finish(slate, state, pinned, record, frozen.get(), offset);
  if (token->offset < frozen->items.size()) answer.next = token->text();
  return answer;
}

// Of a list whose first page needs none.
void forget_fallback(Slate& slate) {
  const std::size_t at = slate.degraded.find(slate.filled_up);
  if (slate.filled_up.empty() || at == std::string::npos) return;
  slate.degraded.erase(at, slate.filled_up.size());
  constexpr std::string_view kJoin = "; ";
  if (slate.degraded.ends_with(kJoin)) slate.degraded.resize(slate.degraded.size() - kJoin.size());
  if (slate.degraded.starts_with(kJoin)) slate.degraded.erase(0, kJoin.size());
}

// What lies behind the first n items of a long list, to be paged through; the slate is cut there.
FrozenSlate freeze(Slate& slate, const RecommendRequest& request) {
  const auto n = static_cast<std::size_t>(request.n);
  FrozenSlate frozen{request.user, request.session, request.placement, request.item, {}, {}};
  if (slate.items.size() < n) return frozen;
  slate.shortfall.clear();
  if (slate.listed >= n) forget_fallback(slate);
  if (slate.items.size() == n) return frozen;
  for (const SlateItem& item : slate.items)
    frozen.items.push_back({item.item, item.score, item.propensity, item.source, {}});
  slate.items.resize(n);
  return frozen;
}

constexpr std::string_view kNoSnapshot =
    "no snapshot yet: what is popular; `vitrine train` makes one";

}  // namespace

Result<Answer> Engine::recommend(const RecommendRequest& request) const {
  const auto now = Clock::now();
  VT_TRY(check_request(request));
  VT_TRY(Pinned pinned, state_->pin(request.min_sequence, request.ms_left));
  if (!request.next.empty()) return next_page(*state_, pinned, request);
  RecommendRequest longer;
  if (request.pages) {
    longer = request;
    longer.n = std::max(request.n, kFrozenItemsMax);
  }
  const RecommendRequest& asked = request.pages ? longer : request;
  Question question(*state_, asked, now, std::move(pinned));
  VT_TRY(question.prepare());
  Slate slate;
  if (question.degraded()) {
    slate = live_popular(question.pinned(), asked.n, question.allowed(),
                         [&](ItemIndex item) { return question.excluded(item); });
    slate.degraded = kNoSnapshot;
  } else {
    slate = run_pipeline(question.pipeline_request(), question.sources().sources,
                         state_->config.pipeline);
    for (const std::string& name : question.sources().missing) {
      if (!slate.degraded.empty()) slate.degraded += "; ";
      slate.degraded += "model '" + name + "' of the placement is not in the snapshot";
    }
  }
  FrozenSlate frozen;
  if (request.pages) frozen = freeze(slate, request);
  Answer answer = finish(slate, *state_, question.pinned(), request);
  if (!frozen.items.empty()) {
    answer.next = PageToken{answer.slate_id, slate.items.size()}.text();
    frozen.snapshot = answer.snapshot;
    state_->pages.put(answer.slate_id, std::move(frozen));
  }
  return answer;
}

Result<std::vector<AnsweredItem>> Engine::explain(const RecommendRequest& request,
                                                  std::string_view item) const {
  VT_TRY(check_request(request));
  VT_TRY(Pinned pinned, state_->pin(request.min_sequence));
  Question question(*state_, request, Clock::now(), std::move(pinned));
  VT_TRY(question.prepare());
  const auto index = question.pinned().live->vocabulary().item(item);
  if (!index) return Error{Code::kNotFound, "there is no item '" + std::string(item) + "'"};
  if (question.degraded()) return Error{Code::kUnavailable, std::string(kNoSnapshot)};
  std::vector<AnsweredItem> models;
  for (const Source& source : question.sources().sources) {
    float score = 0;
    source.model->score(question.query(), std::span(&*index, 1), std::span(&score, 1));
    if (score == 0) continue;  // not known to this model, or nothing to do with this history
    const auto events = static_cast<std::size_t>(state_->config.pipeline.reason_events);
    auto reasons = vitrine::explain(*source.model, question.query(), std::span(&*index, 1),
                                    {kExplainReasons, events});
    models.push_back(
        answered({*index, score, 1, std::string(source.name), std::move(reasons.front())}, *state_,
                 question.pinned()));
  }
  return models;
}

Result<Answer> Engine::similar(std::string_view item, int n, SimilarBy by,
                               std::span<const std::string> exclude) const {
  VT_TRY(check_n(n));
  VT_TRY(check_count("excluded items", exclude.size(), kRequestIdsMax));
  VT_TRY(const Pinned pinned, state_->pin(0));
  const auto index = pinned.live->vocabulary().item(item);
  if (!index) return Error{Code::kNotFound, "there is no item '" + std::string(item) + "'"};
  if (!pinned.serving) {
    return Error{Code::kUnavailable, "no snapshot yet; `vitrine train` makes one"};
  }
  const Snapshot& snapshot = *pinned.serving->snapshot;
  const SimilarWay& way = similar_way(by);
  const NamedModel* model = nullptr;
  for (const std::string_view kind : way.kinds) {
    for (const NamedModel& named : snapshot.models) {
      if (model == nullptr && named.kind == kind) model = &named;
    }
  }
  if (model == nullptr) {
    return Error{Code::kUnavailable,
                 fmt::format("snapshot {} has no model that knows what is similar by {}; add "
                             "[models.{}] and train",
                             snapshot.manifest.name, way.name, way.kinds.front())};
  }
  const HistoryEvent seen{*index, EventType::kPurchase, 1, 1, state_->clock(), 0};
  Context context{"similar", *index, {}, {}};
  PipelineRequest request;
  request.query = {std::span(&seen, 1), std::nullopt, nullptr, &context, seen.time};
  request.allowed = &pinned.catalogue->available();
  std::vector<ItemIndex> excluded{*index};
  for (const std::string& id : exclude) {
    if (const auto other = pinned.live->vocabulary().item(id)) excluded.push_back(*other);
  }
  sort_unique(excluded);
  request.excluded = excluded;
  request.n = n;
  const Source source{model->name, model->model.get(), 1};
  Slate slate = run_pipeline(request, std::span(&source, 1), state_->config.pipeline);
  slate.degraded.clear();  // a short list of relatives is what there is
  // Fusion turned scores into ranks; a list of one model's shows the model's own.
  std::vector<ItemIndex> items;
  for (const SlateItem& listed : slate.items) items.push_back(listed.item);
  std::vector<float> scores(items.size());
  model->model->score(request.query, items, scores);
  for (std::size_t i = 0; i < scores.size(); ++i) slate.items[i].score = scores[i];
  RecommendRequest record;
  record.placement = by == SimilarBy::kTogether ? "together" : "similar";
  record.item = item;
  record.n = n;
  return finish(slate, *state_, pinned, record);
}

namespace {

// A list of what `count` finds among the items that may be shown, in a category if one is named.
template <class Count>
Result<Answer> counted(Engine::State& state, const CountedRequest& request,
                       std::string_view placement, const Count& count) {
  VT_TRY(check_n(request.n));
  VT_TRY(const Pinned pinned, state.pin(0));
  RecommendRequest record;
  record.placement = placement;
  record.n = request.n;
  std::shared_ptr<const Bitmap> mask;
  if (!request.category.empty()) {
    record.categories.emplace_back(request.category);
    mask = state.category_masks.find(*pinned.catalogue, record.categories);
    const auto words = mask->words();
    if (std::all_of(words.begin(), words.end(), [](std::uint64_t word) { return word == 0; })) {
      return Error{Code::kNotFound,
                   "no available item is on or below the category '" + request.category + "'"};
    }
  }
  const Bitmap& allowed = mask ? *mask : pinned.catalogue->available();
  const auto shown = [&](ItemIndex item) { return allowed.test(raw(item)); };
  const Slate slate = live_slate(count(pinned.live->people(), shown), request.n);
  return finish(slate, state, pinned, record);
}

Status check_hours(int hours) {
  if (hours >= 0 && hours <= kPopularHours) return {};
  return Error{Code::kInvalid,
               fmt::format("hours is {}, it must be from 0 to {}", hours, kPopularHours)};
}

}  // namespace

Result<Answer> Engine::popular(const CountedRequest& request) const {
  VT_TRY(check_hours(request.hours));
  if (request.days < 0 || request.days > kPopularDays) {
    return Error{Code::kInvalid, fmt::format("days is {}, it must be from 0 (all time) to {}",
                                             request.days, kPopularDays)};
  }
  return counted(*state_, request, "popular", [&](const LiveState& people, const auto& shown) {
    return people.popular({request.days, request.hours, request.region},
                          static_cast<std::size_t>(request.n), shown);
  });
}

Result<Answer> Engine::trending(const CountedRequest& request) const {
  VT_TRY(check_hours(request.hours));
  const int hours = request.hours == 0 ? kTrendHours : request.hours;
  return counted(*state_, request, "trending", [&](const LiveState& people, const auto& shown) {
    return people.trending(hours, request.region, static_cast<std::size_t>(request.n), shown);
  });
}

}  // namespace vitrine
