import type { KnownRecipe, Recipe } from '../../worker/client'
import { FIELDS, fieldText, parseField, type FieldKey } from './recipe-fields'

type Texts = Record<FieldKey, string>

/** Settings that data brings along: they stand in for the recipe's. */
export interface Suggestion {
  /** Whose they are, as in `as the sample set has it`. */
  readonly by: string
  /** Why, in a clause. */
  readonly reason: string
  readonly texts: Readonly<Partial<Texts>>
}

/** A recipe while it is edited: the texts of its fields, and what they mean. */
export class RecipeForm {
  known = $state.raw<KnownRecipe>()
  suggestion = $state.raw<Suggestion>()
  texts = $state<Partial<Texts>>({})
  /** Name of the connector that chats go through, where it is not the checkpoint's own. */
  inUse = $state<string>()

  /** Why a field cannot stay as it is, in words. */
  readonly problems = $derived.by(() => {
    const problems: Partial<Texts> = {}
    if (!this.known) return problems
    for (const field of FIELDS) {
      const parsed = parseField(field, this.texts[field.key] ?? '')
      if ('problem' in parsed) problems[field.key] = parsed.problem
    }
    if (this.texts.start === 'in-use' && this.inUse === undefined)
      problems.start = 'No connector but the checkpoint’s own is in use any more. Choose another start.'
    return problems
  })

  /** The recipe that the fields make; undefined while one of them cannot stay as it is. */
  readonly recipe = $derived.by((): Recipe | undefined => {
    if (!this.known || Object.keys(this.problems).length > 0) return undefined
    const values = FIELDS.map((field) => {
      const parsed = parseField(field, this.texts[field.key] ?? '')
      return [field.key, 'value' in parsed ? parsed.value : null] as const
    })
    return { ...this.known.recipe, ...Object.fromEntries(values) }
  })

  /** Fields that the visitor changed. */
  readonly changed = $derived(FIELDS.map(({ key }) => key).filter((key) => this.isChanged(key)))
  readonly changedCount = $derived(this.changed.length)

  /** Fields that stand as the data suggests, and not as the recipe has them. */
  readonly suggested = $derived(
    FIELDS.map(({ key }) => key).filter((key) => this.isSuggested(key) && !this.isChanged(key)),
  )

  /** Takes a recipe, its values into every field but those that the data has its own for. */
  choose(known: KnownRecipe) {
    this.known = known
    this.texts = Object.fromEntries(FIELDS.map(({ key }) => [key, this.unchanged(key)]))
  }

  /** Takes what the data suggests, or goes back to the recipe; what the visitor changed stays. */
  suggest(suggestion: Suggestion | undefined) {
    if (suggestion === this.suggestion) return
    const kept = this.changed
    this.suggestion = suggestion
    if (!this.known) return
    for (const { key } of FIELDS) if (!kept.includes(key)) this.texts[key] = this.unchanged(key)
  }

  /** A field's text where the visitor changed nothing: the data's, or the recipe's. */
  unchanged(key: FieldKey): string {
    return this.suggestion?.texts[key] ?? (this.known ? fieldText(this.known.recipe[key]) : '')
  }

  isSuggested(key: FieldKey): boolean {
    return this.suggestion?.texts[key] !== undefined
  }

  isChanged(key: FieldKey): boolean {
    const field = FIELDS.find((candidate) => candidate.key === key)
    if (!field || !this.known) return false
    const [own, parsed] = [this.unchanged(key), this.texts[key] ?? ''].map((text) => parseField(field, text))
    return !('value' in parsed!) || !('value' in own!) || parsed.value !== own.value
  }

  /** Undoes the visitor's change, of one field or of all. */
  reset(key?: FieldKey) {
    if (!this.known) return
    if (key) this.texts[key] = this.unchanged(key)
    else this.choose(this.known)
  }
}
