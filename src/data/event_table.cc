#include "data/event_table.h"

#include <xxhash.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string_view>

namespace vitrine {
namespace {

std::uint64_t chain(std::string_view text, std::uint64_t hash) {
  return XXH3_64bits_withSeed(text.data(), text.size(), hash);
}

// One pattern of bits for each number that compares equal, and one for all NaN.
std::uint64_t canonical(double number) {
  if (std::isnan(number)) number = std::numeric_limits<double>::quiet_NaN();
  return std::bit_cast<std::uint64_t>(number + 0.0);
}

// All that the shop said: everything but the id and the time of receipt.
std::uint64_t content_hash(const Event& event) {
  std::uint64_t hash = 0;
  for (const std::string_view text :
       {std::string_view(event.user), std::string_view(event.session), std::string_view(event.item),
        std::string_view(event.order), std::string_view(event.slate),
        std::string_view(event.context), std::string_view(event.query)}) {
    hash = chain(text, hash);
  }
  const std::array<std::uint64_t, 6> numbers{static_cast<std::uint64_t>(event.type),
                                             canonical(event.value),
                                             canonical(event.quantity),
                                             canonical(event.price),
                                             static_cast<std::uint64_t>(event.time),
                                             static_cast<std::uint64_t>(event.origin)};
  return XXH3_64bits_withSeed(numbers.data(), sizeof numbers, hash);
}

std::uint32_t number_of(StringIndex& index, std::string_view id) {
  return id.empty() ? EventTable::kNone : index.add(id);
}

}  // namespace

void EventTable::add(const Event& event, std::uint64_t sequence_number, Vocabulary& vocabulary) {
  const UserIndex of = event.user.empty() ? kNoUser : vocabulary.add_user(event.user);
  const ItemIndex about = event.item.empty() ? kNoItem : vocabulary.add_item(event.item);
  add(event, sequence_number, of, about);
}

void EventTable::add(const Event& event, std::uint64_t sequence_number, UserIndex of,
                     ItemIndex about) {
  user.push_back(of);
  item.push_back(about);
  type.push_back(event.type);
  value.push_back(static_cast<float>(event.value));
  quantity.push_back(static_cast<float>(event.quantity));
  price.push_back(static_cast<float>(event.price));
  time.push_back(event.time);
  received.push_back(event.received);
  session.push_back(number_of(sessions, event.session));
  order.push_back(number_of(orders, event.order));
  sequence.push_back(sequence_number);
  content.push_back(content_hash(event));
}

}  // namespace vitrine
