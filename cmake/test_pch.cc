// The precompiled header of all tests belongs to this program, which does nothing.
int main() { return 0; }
