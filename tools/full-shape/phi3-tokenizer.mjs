// Phi-3's tokenizer with its special tokens where they are published, over a vocabulary of characters and fillers.

/** Special tokens behind the text vocabulary; placeholders have no name here. */
const SPECIAL = { '<|endoftext|>': 0, '<|assistant|>': 1, '<|system|>': 6, '<|end|>': 7, '<|user|>': 10 }
const SYSTEM_PROMPT = 'You are a helpful AI assistant.'
const SPACE = '\u2581'

/**
 * tokenizer.json and tokenizer_config.json, and where a picture stands in Cambrian's phi3 template. Every id decodes to
 * text, so that sampled ids of random weights do.
 * @param {{ text: { vocab: number, positions: number }, firstSpecialId: number }} sizes
 */
export function phi3Tokenizer({ text, firstSpecialId }) {
  const id = (/** @type {keyof typeof SPECIAL} */ name) => firstSpecialId + SPECIAL[name]
  const flags = { single_word: false, lstrip: false, normalized: false, special: true }
  const special = [
    ...['<unk>', '<s>', '</s>'].map((content, id) => ({ id, content, ...flags, rstrip: false })),
    // What follows a role is swallowed: its newline vanishes.
    ...Object.entries(SPECIAL).map(([content, offset]) => ({
      id: firstSpecialId + offset,
      content,
      ...flags,
      rstrip: content !== '<|endoftext|>',
    })),
  ]
  const taken = new Set(special.map(({ id }) => id))
  const printable = Array.from({ length: 95 }, (_, i) => String.fromCodePoint(32 + i))
  const characters = printable.map((character) => (character === ' ' ? SPACE : character))
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
  )
  const known = [...['<unk>', '<s>', '</s>'], ...bytes, ...characters]
  /** @type {Record<string, number>} */
  const vocab = {}
  for (let i = 0; i < text.vocab; i++) {
    const token = known[i] ?? `${SPACE}w${i}`
    if (i < 3 || !taken.has(i)) vocab[token] = i
  }
  return {
    // <s>, <|system|>, the prompt's characters behind a space, <|end|>, <|user|>.
    imagePosition: 2 + 1 + SYSTEM_PROMPT.length + 2,
    eosTokenIds: [id('<|end|>'), id('<|endoftext|>')],
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: special,
      normalizer: {
        type: 'Sequence',
        normalizers: [
          { type: 'Prepend', prepend: SPACE },
          { type: 'Replace', pattern: { String: ' ' }, content: SPACE },
        ],
      },
      pre_tokenizer: null,
      post_processor: {
        type: 'TemplateProcessing',
        single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
        pair: [
          { SpecialToken: { id: '<s>', type_id: 0 } },
          { Sequence: { id: 'A', type_id: 0 } },
          { SpecialToken: { id: '<s>', type_id: 0 } },
          { Sequence: { id: 'B', type_id: 0 } },
        ],
        special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
      },
      decoder: {
        type: 'Sequence',
        decoders: [
          { type: 'Replace', pattern: { String: SPACE }, content: ' ' },
          { type: 'ByteFallback' },
          { type: 'Fuse' },
          { type: 'Strip', content: ' ', start: 1, stop: 0 },
        ],
      },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: '<unk>',
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: true,
        byte_fallback: true,
        ignore_merges: false,
        vocab,
        merges: [],
      },
    },
    config: {
      added_tokens_decoder: Object.fromEntries(special.map(({ id, ...rest }) => [id, rest])),
      bos_token: '<s>',
      clean_up_tokenization_spaces: false,
      eos_token: '<|end|>',
      model_max_length: text.positions,
      pad_token: '<|endoftext|>',
      tokenizer_class: 'PreTrainedTokenizerFast',
      unk_token: '<unk>',
    },
  }
}
