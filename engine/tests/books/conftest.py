"""What lies below is material of the tests, and no test."""

collect_ignore_glob = ["*"]
