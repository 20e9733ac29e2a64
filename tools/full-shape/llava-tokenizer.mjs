// A byte-level BPE tokenizer for a vocabulary of any size: single bytes, then fillers, then the special tokens.

const CHAT_TEMPLATE =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n'}}" +
  "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}" +
  "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] }}{% endfor %}" +
  "{{'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"

const SPECIAL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<image>']

/**
 * The character that stands for each byte in a byte-level vocabulary.
 * Source: GPT-2's bytes_to_unicode: printable bytes stand for themselves, others for characters from U+0100 on.
 */
function byteCharacters() {
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => {
    const printable =
      (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255)
    return String.fromCodePoint(printable ? byte : next++)
  })
}

/**
 * tokenizer.json and tokenizer_config.json. Every id below `vocab` decodes to text, so that sampled ids of random
 * weights do.
 * @param {{ text: { vocab: number, positions: number }, firstSpecialId: number }} sizes
 */
export function tokenizerJson({ text, firstSpecialId }) {
  const bytes = byteCharacters()
  const special = SPECIAL.map((content, i) => ({ id: firstSpecialId + i, content }))
  const isSpecial = (/** @type {number} */ id) => id >= firstSpecialId && id < firstSpecialId + SPECIAL.length
  /** @type {Record<string, number>} */
  const vocab = {}
  for (let id = 0; id < text.vocab; id++) if (!isSpecial(id)) vocab[bytes[id] ?? `Ġw${id}`] = id
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
  return {
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: special.map(({ id, content }) => ({ id, content, ...flags })),
      normalizer: { type: 'NFC' },
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true },
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab,
        merges: [],
      },
    },
    config: {
      added_tokens_decoder: Object.fromEntries(special.map(({ id, content }) => [id, { content, ...flags }])),
      bos_token: null,
      chat_template: CHAT_TEMPLATE,
      clean_up_tokenization_spaces: false,
      eos_token: '<|im_end|>',
      model_max_length: text.positions,
      pad_token: '<|endoftext|>',
      tokenizer_class: 'PreTrainedTokenizerFast',
      unk_token: null,
    },
  }
}
