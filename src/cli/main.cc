// vitrine: the only place that knows argv, signals and exit codes.
#include "cli/command.h"

int main(int argc, char** argv) {
  using namespace vitrine;
  return run_command_line(
      argc, argv,
      {import_command(), clean_command(), train_command(), evaluate_command(), tune_command(),
       recommend_command(), similar_command(), explain_command(), serve_command(),
       snapshot_command(), replay_command(), bench_command(), config_command()});
}
