"""What `import caffe` shows, over the runtime."""
