// vitrine: the only place that knows argv, signals and exit codes.
#include <stdlib.h>
#include <unistd.h>

#include <string_view>

#include "cli/command.h"

namespace {

// OpenBLAS begins a thread for each core while it is loaded, before it could be told not to. We use
// none of them; each wants 128 MB, and one that does not get them never ends. So the program starts
// once more, having said so.
void start_without_blas_threads(char** argv) {
  constexpr const char* kThreads = "OPENBLAS_NUM_THREADS";
  const char* said = ::getenv(kThreads);
  if (said != nullptr && std::string_view(said) == "1") return;
  if (::setenv(kThreads, "1", 1) == 0) ::execv("/proc/self/exe", argv);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace vitrine;
  start_without_blas_threads(argv);
  return run_command_line(
      argc, argv,
      {import_command(), clean_command(), train_command(), evaluate_command(), tune_command(),
       recommend_command(), similar_command(), explain_command(), serve_command(),
       snapshot_command(), replay_command(), bench_command(), config_command()});
}
