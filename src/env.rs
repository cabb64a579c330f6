//! Every environment variable that lpcc reads, and what it means.
