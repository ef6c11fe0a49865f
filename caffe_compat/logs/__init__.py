"""Log lines: written as glog writes them, kept in a file, and parsed again."""
