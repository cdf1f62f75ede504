"""How good a model is: suites of tasks, what an answer is worth, and how sure that is. Pure."""
