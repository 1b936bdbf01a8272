// Words of free text, for models that compare descriptions. Simple on purpose: no stemming, no list
// of stop words (a word that everything has weighs nothing anyway).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vitrine {

// Runs of letters and digits in lower case, in their order. Case is folded for the Latin, Greek and
// Cyrillic letters; scripts that write no spaces (Han, Kana, Hangul) give pairs of neighbouring
// characters, a lone character itself. A byte that is no UTF-8 separates words.
std::vector<std::string> words_of(std::string_view text);

// The whole text in lower case: a label, such as a brand or the name of a category.
std::string lower_case(std::string_view text);

}  // namespace vitrine
