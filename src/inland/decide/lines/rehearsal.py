"""What a base is asked so that its own answers can be rehearsed while it learns something else:
short questions of many kinds, of which none belongs to a line's data."""

#: In this order: whoever rehearses N answers asks the first N.
QUESTIONS = (
    "Tell me a fact about the Moon.",
    "Why do we sleep?",
    "What is the capital of Portugal?",
    "What is the capital of Canada?",
    "Which planet do we live on?",
    "How many hours are in a day?",
    "What is 5 + 4?",
    "What is the chemical symbol of iron?",
    "On which continent is Norway?",
    "What is the opposite of big?",
    "Which ocean is between Europe and America?",
    "Name a famous scientist.",
    "Which season comes after winter?",
    "How many wheels does a bicycle have?",
    "What does a baker make?",
    "Write one sentence about the sea.",
    "Why is the sky blue?",
    "Give me a tip for learning a language.",
    "What is a computer?",
    "Name three vegetables.",
    "What is the past tense of go?",
    "How does a plant drink?",
    "What is the boiling point of water?",
    "Write a short greeting to a new colleague.",
    "What does a carpenter do?",
    "Explain what a bridge is for.",
    "Which animal is the tallest?",
    "What is democracy?",
    "How do I make tea?",
    "What is ten minus three?",
    "Name a musical instrument with strings.",
    "What should I do when I have a cold?",
)
#: How long one answer may be: one that is cut there is not rehearsed.
ANSWER_TOKENS = 200
