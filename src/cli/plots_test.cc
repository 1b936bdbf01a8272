#include "cli/plots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vitrine {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Plots, ADotPlotNamesRowsAndValues) {
  const std::string svg = dot_plot("A <title>", "ndcg@20",
                                   {{"popularity", 0.1, 0.09, 0.11},
                                    {"ease & co", 0.25, 0.24, 0.26},
                                    {"published", 0.3, 0, 0, true}});
  EXPECT_THAT(svg, HasSubstr("<svg xmlns="));
  EXPECT_THAT(svg, HasSubstr("A &lt;title&gt;"));
  EXPECT_THAT(svg, HasSubstr("ease &amp; co"));
  EXPECT_THAT(svg, HasSubstr(">0.2500<"));
  EXPECT_THAT(svg, HasSubstr(">ndcg@20<"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(Plots, ControlCharactersAreLeftOut) {
  EXPECT_THAT(dot_plot("a\x1b[31mb\x01 c\x7f", "ndcg@20", {}), HasSubstr(">a[31mb c<"));
}

TEST(Plots, OddNumbersOfPointsAreDrawn) {
  for (const auto& svg :
       {dot_plot("nothing", "recall@5", {}), dot_plot("one", "recall@5", {{"a", 0, 0, 0}}),
        curve_plot("nothing", "share", {}, "recall@5", {}),
        curve_plot("one", "share", {"100 %"}, "recall@5", {{"a", {{1, 0.5, 0.5, 0.5}}}})}) {
    EXPECT_THAT(svg, HasSubstr("</svg>"));
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_THAT(svg, Not(HasSubstr("inf")));
  }
}

TEST(Plots, CurvesAreNamedAtTheirEnds) {
  const std::string svg = curve_plot("t", "share of the persons", {"10 %", "100 %"}, "ndcg@20",
                                     {{"ease", {{0.1, 0.1, 0.09, 0.11}, {1, 0.2, 0.19, 0.21}}},
                                      {"knn", {{0.1, 0.1, 0, 0}, {1, 0.2, 0, 0}}}});
  EXPECT_THAT(svg, HasSubstr(">ease<"));
  EXPECT_THAT(svg, HasSubstr(">knn<"));
  EXPECT_THAT(svg, HasSubstr(">10 %<"));
}

}  // namespace
}  // namespace vitrine
