// The precompiled header of all tests is built from this file.
