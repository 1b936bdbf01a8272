#include "model/blend_members.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "model/checkpoint.h"

namespace vitrine {
namespace {

constexpr std::size_t kMembersMax = 32;

// Names become scopes of the archive and words of weights ("ease=2").
Status check_name(std::string_view name) {
  const auto fine = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  if (!name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), fine)) return {};
  return Error{Code::kInvalid,
               "a member's name is made of letters, digits, '_' and '-', at most 64"};
}

Result<BlendMember> read_member(const std::string& name, Table keys) {
  VT_TRY(check_name(name));
  BlendMember member;
  member.name = name;
  std::string kind = name;
  if (const Value* given = keys.find("kind")) {
    if (given->as_string() == nullptr) {
      return Error{Code::kInvalid, "kind must be the name of a model kind"};
    }
    kind = *given->as_string();
    keys.erase("kind");
  }
  VT_TRY(member.kind, find_model(kind));
  VT_TRY(member.options, member.kind->complete(keys));
  return member;
}

// The table of members by name; names given as a list have no settings of their own.
Result<Table> members_table(const BlendOptions& options, const Value* given) {
  if (given != nullptr && given->as_table() != nullptr) return *given->as_table();
  Table table;
  for (const std::string& name : options.members) {
    if (table.find(name) != nullptr) {
      return Error{Code::kInvalid, "blend members: '" + name + "' is named twice"};
    }
    table.set(name, Table());
  }
  return table;
}

Status read_weights(const std::vector<std::string>& texts, std::vector<BlendMember>& members) {
  if (texts.empty()) return {};
  std::vector<std::string_view> known;
  for (BlendMember& member : members) {
    known.push_back(member.name);
    member.weight = -1;
  }
  double sum = 0;
  for (const std::string& text : texts) {
    auto weight = parse_weight(text);
    if (!weight.ok()) return weight.error().prefixed("blend weights");
    const auto named = [&](const BlendMember& m) { return m.name == weight->name; };
    const auto member = std::find_if(members.begin(), members.end(), named);
    if (member == members.end()) {
      const std::string_view near = nearest(weight->name, known);
      return Error{Code::kInvalid,
                   fmt::format("blend weights: there is no member '{}'; {}", weight->name,
                               near.empty() ? fmt::format("members are {}", fmt::join(known, ", "))
                                            : fmt::format("did you mean '{}'?", near))};
    }
    member->weight = static_cast<float>(weight->weight);
    sum += double{member->weight};  // as it will count: the least doubles are 0
  }
  for (const BlendMember& member : members) {
    if (member.weight >= 0) continue;
    return Error{Code::kInvalid, "blend weights: '" + member.name +
                                     "' has none; give one to every member, or to none to learn "
                                     "them"};
  }
  if (!(sum > 0 && std::isfinite(static_cast<float>(sum)))) {
    return Error{Code::kInvalid, "blend weights: their sum must be above 0 and finite"};
  }
  return {};
}

}  // namespace

Result<BlendSetup> read_blend(const Table& table) {
  const Value* given = table.find("members");
  Table flat = table;
  if (given != nullptr && given->as_table() != nullptr) {
    List names;
    for (const auto& entry : *given->as_table()) names.push_back(entry.first);
    flat.set("members", std::move(names));
  }
  BlendSetup setup;
  VT_TRY(setup.options, read_options<BlendOptions>(flat, BlendOptions::kName));
  VT_TRY(const Table members, members_table(setup.options, given));
  if (members.empty() || members.size() > kMembersMax) {
    return Error{Code::kInvalid,
                 fmt::format("blend members: {} given, expected 1 to {}; name model kinds, such as "
                             "[\"item_knn\", \"ease\"]",
                             members.size(), kMembersMax)};
  }
  for (const auto& [name, keys] : members) {
    if (keys.as_table() == nullptr) {
      return Error{Code::kInvalid, "blend members: '" + name + "' must be a table of settings"};
    }
    auto member = read_member(name, *keys.as_table());
    if (!member.ok()) return member.error().prefixed("blend member '" + name + "'");
    setup.members.push_back(std::move(member).value());
  }
  VT_TRY(read_weights(setup.options.weights, setup.members));
  return setup;
}

Status fit_members(const Run& run, const TrainingSet& set, std::span<BlendMember> members) {
  for (BlendMember& member : members) {
    if (member.model != nullptr || !(member.weight > 0)) continue;
    const Run own{run.random.fork("blend/" + member.name), run.pool, run.monitor};
    TrainingSet own_set = set;
    std::optional<Checkpoint> checkpoint;
    if (set.checkpoint != nullptr)
      own_set.checkpoint = &checkpoint.emplace(set.checkpoint->of_part(member.name));
    auto model = member.kind->fit(own, member.options, own_set, nullptr);
    if (!model.ok()) {
      if (model.error().code == Code::kCancelled) return model.error();
      return model.error().prefixed("blend member '" + member.name + "'");
    }
    member.model = std::move(model).value();
  }
  return {};
}

MemberLists::MemberLists(std::span<const BlendMember> members, std::span<const Query> queries,
                         int depth)
    : blocks_(members.size()) {
  const ItemMask everything;
  for (std::size_t m = 0; m < members.size(); ++m) {
    members[m].model->retrieve(queries, {&everything, 1}, depth, blocks_[m]);
  }
}

std::vector<float> MemberLists::scales(std::size_t query) const {
  std::vector<float> scales;
  for (const CandidateBlock& block : blocks_) {
    const auto list = block.row(query);
    double sum = 0, squares = 0, largest = 0;
    for (const Candidate& c : list) {
      sum += c.score;
      largest = std::max(largest, std::abs(static_cast<double>(c.score)));
    }
    const double mean = list.empty() ? 0 : sum / static_cast<double>(list.size());
    for (const Candidate& c : list) squares += (c.score - mean) * (c.score - mean);
    // One item, or scores that differ by rounding: their size is all there is to go by.
    double deviation = list.empty() ? 0 : std::sqrt(squares / static_cast<double>(list.size()));
    if (!(deviation > 1e-4 * largest)) deviation = largest;
    const auto scale = static_cast<float>(1 / deviation);
    scales.push_back(std::isfinite(scale) ? scale : 0);
  }
  return scales;
}

}  // namespace vitrine
