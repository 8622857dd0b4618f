"""One module per page; each offers `page()`, which reads, computes and draws."""
