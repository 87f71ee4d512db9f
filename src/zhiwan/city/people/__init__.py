"""accounts, posts, sign-in, audit."""
