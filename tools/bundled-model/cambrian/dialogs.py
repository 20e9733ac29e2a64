"""Dialogs as Cambrian's vicuna_v1 template writes them, to token ids.

The system sentence and `USER:` begin every prompt, so they are a prefix that a batch computes once. The picture stands in the
first user turn; text before and after <image> is tokenised apart, which the byte-level pre-tokeniser makes the same as piece by piece.
"""
import cambrian as M

BOS, EOS, SLOT, SPACE = 1, 2, 3, ' '        # SLOT marks an image row in ids here; published prompts have one -200 for all of them


class Text:
    def __init__(self, tokenizer):
        self.tok, self.cache = tokenizer, {}
        self.prefix = [BOS] + self.ids(M.SYSTEM + ' USER:')
        self.image_position = len(self.prefix) + 1

    def ids(self, piece):
        got = self.cache.get(piece)
        if got is None:
            got = self.tok.encode(piece, add_special_tokens=False).ids
            if len(self.cache) < 200000:
                self.cache[piece] = got
        return got

    def encode(self, turns, rows=0, limit=None, spaced=False):
        """[(question, answer, ...)] -> ids and labels (-100 outside of answers) after the prefix. rows: image rows, 0 without a picture.

        spaced: an earlier reply is preceded by two spaces, as in a history that kept the space a reply starts with.
        Turns beyond `limit` ids are left out.
        """
        ids, labels = [], []
        for i, (q, answer, *_) in enumerate(turns):
            if i == 0 and rows:
                head = self.ids(SPACE) + [SLOT] * rows + self.ids('\n' + q + ' ASSISTANT:')
            else:
                head = self.ids(('USER:' if i else '') + ' ' + q + ' ASSISTANT:')
            if spaced and i < len(turns) - 1:
                head = head + self.ids(SPACE)
            tail = self.ids(' ' + answer) + [EOS]
            if limit and i and len(ids) + len(head) + len(tail) > limit:
                break
            ids, labels = ids + head + tail, labels + [-100] * len(head) + tail
        return ids, labels

    def render(self, history, question, picture):
        """The prompt as a string, with <image>. history: [(question, reply as generated)]."""
        out = M.SYSTEM + ' '
        for i, (q, reply) in enumerate(history + [(question, None)]):
            out += 'USER: ' + ('<image>\n' if picture and i == 0 else '') + q + ' ASSISTANT:' + ('' if reply is None else ' ' + reply + '</s>')
        return out

    def prompt_ids(self, prompt):
        """Ids of a rendered prompt: BOS once, chunks around <image> tokenised apart, -200 for the picture."""
        out = [BOS]
        for i, chunk in enumerate(prompt.split('<image>')):
            out += [-200] * (i > 0) + self.tok.encode(chunk, add_special_tokens=False).ids
        return out


def picture_first(turns):
    """The picture belongs to the first turn: small talk that came before it moves behind the first question about it."""
    at = next((i for i, t in enumerate(turns) if t[2]), None)
    return turns if not at else [turns[at]] + turns[:at] + turns[at + 1:]
