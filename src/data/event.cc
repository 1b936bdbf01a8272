#include "data/event.h"
namespace vitrine {}
