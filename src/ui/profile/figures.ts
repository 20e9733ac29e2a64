import type { KernelTime, Profile, ProfilePhase } from '../../worker/api'

/** What an answer's profile is shown with. Units: milliseconds. */
export interface AnswerProfile extends Profile {
  model: string
  adapter: string
  /** From the press that loaded the model until it was ready. */
  loadMs: number
  firstTokenMs: number
  tokensPerSecond: number
  tokens?: number
  promptTokens?: number
  imageTokens?: number
  reusedTokens?: number
}

export interface KernelFigures extends KernelTime {
  /** Of the phase's kernels, 0 to 1. */
  share: number
  /** Undefined for kernels that declare no multiply-adds. */
  gflopsPerSecond: number | undefined
}

export interface PhaseFigures extends Omit<ProfilePhase, 'kernels'> {
  /** Of all its kernels. */
  kernelMs: number
  dispatches: number
  kernels: KernelFigures[]
}

export function figuresOf({ kernels, ...phase }: ProfilePhase): PhaseFigures {
  const kernelMs = kernels.reduce((sum, { ms }) => sum + ms, 0)
  return {
    ...phase,
    kernelMs,
    dispatches: kernels.reduce((sum, { dispatches }) => sum + dispatches, 0),
    kernels: kernels.map((kernel) => ({
      ...kernel,
      share: kernelMs > 0 ? kernel.ms / kernelMs : 0,
      gflopsPerSecond: kernel.flops > 0 && kernel.ms > 0 ? kernel.flops / kernel.ms / 1e6 : undefined,
    })),
  }
}

/** Undefined where an answer had one token, which belongs to the prompt. */
export function dispatchesPerToken(phases: readonly PhaseFigures[]): number | undefined {
  const decode = phases.find(({ phase }) => phase === 'decode')
  return decode && decode.dispatches / decode.steps
}

/** From pressing Load to the first token, had the question been asked as soon as the model was ready. */
export const loadToFirstTokenMs = ({ loadMs, firstTokenMs }: AnswerProfile) => loadMs + firstTokenMs

/** All of it, for other programs. */
export function profileJson({ phases, ...profile }: AnswerProfile): string {
  const figures = phases.map(figuresOf)
  return JSON.stringify(
    {
      ...profile,
      loadToFirstTokenMs: loadToFirstTokenMs({ phases, ...profile }),
      dispatchesPerToken: dispatchesPerToken(figures),
      phases: figures,
    },
    null,
    2,
  )
}
