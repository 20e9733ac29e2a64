import { PreTrainedTokenizer } from '@huggingface/transformers'
import type { OpenedModel } from './checkpoint-files'
import type { JsonObject } from './config-reader'
import { ConfigError, TemplateError } from './errors'
import type { PromptStyle } from './family/definition'
import { findTemplate, trainableTemplates } from './template'
import { chunkTokens } from './template/chunk-tokens'
import { IMAGE_PLACEHOLDER, type ChatTemplate, type TemplateMessage } from './template/definition'
import type { LabelRule, SupervisedConversation, TrainingTokenizer } from './template/labels/definition'
import { promptOfOwn, superviseOwn, type OwnTemplate } from './template/labels/own-template'
import { trainingTokenizer } from './template/labels/training-tokenizer'
import { JinjaTemplate } from './template/jinja'
import { checkPatterns } from './tokenizer-patterns'
import type { Recipe, Utterance } from './train/definition'

export interface ChatPrompt {
  /** The rendered conversation, one placeholder for each picture. */
  readonly text: string
  readonly ids: number[]
}

/** How conversations of training data become ids and labels. */
export type TeachingOptions = Pick<Recipe, 'template' | 'captionEnd'>

/** A checkpoint's own tokenizer and chat template, run by transformers.js. */
export class Tokenizer {
  private training: TrainingTokenizer | undefined
  private program: JinjaTemplate | undefined

  private constructor(
    private readonly inner: PreTrainedTokenizer,
    /** The checkpoint's own template, undefined when it brings none. */
    private readonly jinja: OwnJinja | undefined,
    private readonly template: ChatTemplate | undefined,
    /** Multimodal templates take a list of pieces a message, text-only ones a string. */
    private readonly takesPieces: boolean,
    /** Given where the tokenizer knows no `<image>`: text is tokenised in chunks between pictures. */
    private readonly style: PromptStyle | undefined,
    /** The slow tokenizers' flag, as the files say or their class has it. */
    private readonly legacy: boolean,
  ) {}

  /**
   * Throws: ConfigError without a usable tokenizer.json, TemplateError for an unknown template name.
   */
  static from(model: OpenedModel, templateName?: string): Tokenizer {
    const { files, source, jinjaTemplate } = model
    const json = files['tokenizer.json']
    if (!json) {
      throw new ConfigError(
        `${source.name}: tokenizer.json was not found. Choose a repository that holds one (a fast tokenizer), or add it to the folder.`,
      )
    }
    for (const part of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder']) checkPatterns(json[part])
    let inner: PreTrainedTokenizer
    try {
      inner = new PreTrainedTokenizer(json, files['tokenizer_config.json'] ?? {})
    } catch (cause) {
      throw new ConfigError(
        `tokenizer.json: could not be understood (${(cause as Error).message}). Download it again.`,
      )
    }
    const style = model.blueprint.promptStyle
    const named = templateName ?? (style && templateOf(style, inner))
    const template = named === undefined ? undefined : findTemplate(named, style?.project)
    const fromFile = files['chat_template.json']?.['chat_template']
    const fromTokenizer = files['tokenizer_config.json']?.['chat_template']
    const jinja = jinjaTemplate ?? firstTemplate(fromFile) ?? firstTemplate(fromTokenizer)
    const { legacy, tokenizer_class } = files['tokenizer_config.json'] ?? {}
    const isLegacy = typeof legacy === 'boolean' ? legacy : tokenizer_class === 'LlamaTokenizer'
    const own =
      jinja === undefined
        ? undefined
        : { source: jinja, tokens: specialTokens(files['tokenizer_config.json']) }
    return new Tokenizer(inner, own, template, model.blueprint.vision !== undefined, style, isLegacy)
  }

  get eosTokenId(): number | undefined {
    return (this.inner as { eos_token_id?: number }).eos_token_id
  }

  /** Name of the chat template; undefined where the checkpoint's own is a program, or there is none. */
  get templateName(): string | undefined {
    return this.template?.name
  }

  get hasChatTemplate(): boolean {
    return this.template !== undefined || this.jinja !== undefined
  }

  /** Strings beside the end tokens that close a reply under the named template. */
  get stopStrings(): readonly string[] {
    return this.template?.stop ?? []
  }

  /** Those of the stop strings that are one token: decoding leaves special tokens out, so their text is never seen. */
  get stopTokenIds(): number[] {
    const ids = this.stopStrings.map((text) => this.inner.encode(text, { add_special_tokens: false }))
    return ids.flatMap((tokens) => (tokens.length === 1 ? tokens : []))
  }

  /**
   * A conversation as token ids, ready for the next reply.
   *
   * Throws: TemplateError when the checkpoint has no template or it cannot render the conversation.
   */
  chat(messages: readonly TemplateMessage[]): ChatPrompt {
    const text = this.render(messages)
    return { text, ids: this.style ? this.encode(text) : this.encodeRendered(text) }
  }

  /**
   * A finished conversation as token ids, and which of them are learned, as the original projects do it.
   *
   * `template`: `model` for the checkpoint's own. Pictures are placeholders: the tokenizer's `<image>` where it knows one,
   * else IMAGE_TOKEN_INDEX. Labels stand at their own tokens; the shift to the next token is not made here.
   * Throws: TemplateError for a template that nobody trains with, or one that the tokenizer cannot serve.
   */
  supervise(conversation: readonly Utterance[], options: TeachingOptions): SupervisedConversation {
    const rule = this.ruleOf(options.template)
    return rule
      ? rule.supervise(conversation, this.forTraining(), options)
      : superviseOwn(conversation, this.ownTemplate())
  }

  /**
   * The same ids up to where the first reply begins: what a caption is asked for with during training.
   *
   * Throws: TemplateError as `supervise`.
   */
  promptOf(conversation: readonly Utterance[], options: TeachingOptions): number[] {
    const rule = this.ruleOf(options.template)
    return rule
      ? rule.prompt(conversation, this.forTraining())
      : promptOfOwn(conversation, this.ownTemplate())
  }

  /** Ids of a text; pictures in it are IMAGE_TOKEN_INDEX where the tokenizer knows no `<image>`. */
  encode(text: string, addSpecialTokens = true): number[] {
    if (this.style) {
      const { bos_token_id: bos } = this.inner as { bos_token_id?: number }
      return chunkTokens(text, (chunk) => this.inner.encode(chunk), bos)
    }
    return text === '' && !addSpecialTokens
      ? []
      : this.inner.encode(text, { add_special_tokens: addSpecialTokens })
  }

  /** Text of ids, special tokens left out. */
  decode(ids: readonly number[]): string {
    return ids.length === 0 ? '' : this.inner.decode([...ids], { skip_special_tokens: true })
  }

  /** The label rule of a template; undefined where the checkpoint's own is a program. */
  private ruleOf(name: string): LabelRule | undefined {
    const own = name === 'model'
    if (own && !this.template) return undefined
    const template = own ? this.template! : findTemplate(name, this.style?.project)
    if (template.labels) return template.labels
    throw new TemplateError(
      `chat template: no project says what is learned of "${template.name}". Train with plain, with one of ` +
        `${trainableTemplates(this.style?.project).join(', ')}, or with a checkpoint that brings a template of its own.`,
    )
  }

  private forTraining(): TrainingTokenizer {
    return (this.training ??= trainingTokenizer(this.inner, {
      knowsImages: !this.style && this.encode(IMAGE_PLACEHOLDER, false).length === 1,
      legacy: this.legacy,
      imageMark: this.style?.imageMark,
    }))
  }

  private ownTemplate(): OwnTemplate {
    return {
      render: (messages, open) => this.renderOwn(messages, open),
      encode: (text) => this.encodeRendered(text),
      eosToken: (this.inner as { eos_token?: string | null }).eos_token ?? undefined,
    }
  }

  private encodeRendered(text: string): number[] {
    const bos = (this.inner as { bos_token?: string | null }).bos_token
    // As transformers does: a template that writes the BOS itself must not get a second one, and text-only chats
    // never add one.
    const named = this.template !== undefined
    const addSpecial = bos && text.startsWith(bos) ? false : named || this.takesPieces
    return this.encode(text, addSpecial)
  }

  private render(messages: readonly TemplateMessage[]): string {
    if (!this.template) return this.renderOwn(messages, true)
    const text = this.template.render(messages)
    return this.style?.imageMark ? text.replaceAll(IMAGE_PLACEHOLDER, this.style.imageMark) : text
  }

  /** `open`: up to where the assistant speaks. */
  private renderOwn(messages: readonly TemplateMessage[], open: boolean): string {
    if (this.jinja === undefined) {
      throw new TemplateError(
        'chat template: this checkpoint brings none. Name one (vicuna_v1, llama_3, chatml, phi3, plain ...) or send a raw prompt.',
      )
    }
    const shaped = messages.map(({ role, text, images }) => ({
      role,
      content: this.takesPieces
        ? [...Array.from({ length: images }, () => ({ type: 'image' })), { type: 'text', text }]
        : text,
    }))
    this.program ??= new JinjaTemplate(this.jinja.source)
    return this.program.render({
      messages: shaped,
      add_generation_prompt: open,
      tools: null,
      documents: null,
      ...this.jinja.tokens,
    })
  }
}

/** A template's source, and the special tokens that it may name. */
interface OwnJinja {
  readonly source: string
  readonly tokens: Readonly<Record<string, string>>
}

const SPECIAL_TOKENS = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'].map((name) => `${name}_token`)

/** Texts of those special tokens that a tokenizer_config.json names. */
function specialTokens(config: JsonObject = {}): Record<string, string> {
  const named = SPECIAL_TOKENS.map((name) => {
    const given = config[name]
    const isObject = typeof given === 'object' && given !== null && !Array.isArray(given)
    return [name, isObject ? given['content'] : given]
  })
  return Object.fromEntries(named.filter(([, text]) => typeof text === 'string' && text !== ''))
}

/** The chat template of a project's model where none is asked for. */
function templateOf({ template, templateByToken = [] }: PromptStyle, inner: PreTrainedTokenizer): string {
  const isToken = (text: string) => inner.encode(text, { add_special_tokens: false }).length === 1
  return templateByToken.find(([token]) => isToken(token))?.[1] ?? template
}

/** A template, or the one called "default" of a list of named ones. */
function firstTemplate(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (!Array.isArray(value)) return undefined
  const named = value as ({ name?: unknown; template?: unknown } | null)[]
  const template = (named.find((one) => one?.name === 'default') ?? named[0])?.template
  return typeof template === 'string' ? template : undefined
}
