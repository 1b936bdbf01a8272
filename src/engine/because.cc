#include "engine/because.h"

#include <cmath>
#include <string_view>

namespace vitrine {
namespace {

struct Verb {
  std::string_view type, verb;
};

constexpr Verb kVerbs[] = {{"view", "looked at"},  {"click", "clicked on"},
                           {"favourite", "saved"}, {"cart", "put into the cart"},
                           {"purchase", "bought"}, {"rating", "rated"},
                           {"like", "liked"},      {"impression", "saw"}};

std::string_view verb_of(std::string_view type) {
  for (const Verb& known : kVerbs) {
    if (known.type == type) return known.verb;
  }
  return "chose";
}

}  // namespace

std::string because_sentence(std::span<const AnsweredReason> reasons) {
  if (reasons.empty()) return {};
  std::string text = "because you ";
  std::string_view verb;
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    const AnsweredReason& reason = reasons[i];
    if (i > 0) text += i + 1 == reasons.size() ? " and " : ", ";
    if (const std::string_view own = verb_of(reason.type); own != verb) {
      verb = own;
      text += own;
      text += ' ';
    }
    text += reason.title.empty() ? reason.item : reason.title;
    text += " (" + std::to_string(std::lround(reason.share * 100)) + " %)";
  }
  return text;
}

}  // namespace vitrine
