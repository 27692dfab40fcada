"""What a study is, what its runs recorded, and what may be concluded from them."""
