# vt_module(NAME SOURCES a.cc ... TESTS a_test.cc ... USES lower modules ... LINKS libraries ...)
#
# One static library and one test binary per module. A module links only the modules that it names,
# so an include or a call that points upwards fails at the linker before the tidy test sees it.
if(VITRINE_TESTS)
  add_executable(vt_test_pch ${CMAKE_SOURCE_DIR}/cmake/test_pch.cc)
  target_precompile_headers(vt_test_pch PRIVATE <gtest/gtest.h> <string> <vector> <span> <memory>
                            <algorithm> <cstdint> <optional>)
  target_link_libraries(vt_test_pch PRIVATE GTest::gtest)
  # Tests are compiled once and run for seconds: optimising their templates costs more than it gives.
  if(VITRINE_SANITIZE)
    set(VT_TEST_OPTIONS -O0)
  else()
    set(VT_TEST_OPTIONS -O1)
  endif()
  target_compile_options(vt_test_pch PRIVATE ${VT_TEST_OPTIONS})
endif()

function(vt_test_binary name)
  if(NOT VITRINE_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE ${VT_TEST_OPTIONS})
  target_precompile_headers(${name} REUSE_FROM vt_test_pch)
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} vt_rapidcheck GTest::gtest GTest::gmock
                        GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
  # Only to the sources that ask for it: the others compile to the same in every clone, for ccache.
  foreach(source ${ARG_SOURCES})
    file(STRINGS ${source} asks REGEX VITRINE_SOURCE_DIR LIMIT_COUNT 1)
    if(asks)
      set_property(SOURCE ${source} APPEND PROPERTY
                   COMPILE_DEFINITIONS VITRINE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    endif()
  endforeach()
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  set_tests_properties(${name} PROPERTIES TIMEOUT 1800 ENVIRONMENT
                       "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/cmake/tsan.supp")
endfunction()

function(vt_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;TESTS;USES;LINKS;TEST_LINKS" ${ARGN})
  add_library(vt_${name} STATIC ${ARG_SOURCES})
  target_include_directories(vt_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  foreach(used ${ARG_USES})
    target_link_libraries(vt_${name} PUBLIC vt_${used})
  endforeach()
  target_link_libraries(vt_${name} PRIVATE ${ARG_LINKS} Threads::Threads)
  if(ARG_TESTS)
    vt_test_binary(${name}_test SOURCES ${ARG_TESTS} LINKS vt_${name} ${ARG_TEST_LINKS})
  endif()
endfunction()
