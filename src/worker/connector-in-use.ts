import { elementCount } from '../kernels'
import type { ChatModel } from '../model/chat-model'
import { connectorSpecs, OwnConnector, type ConnectorValues } from '../model/train/trained-connector'
import type { ConnectorInfo } from './training-api'

/** The connector that chats go through instead of the checkpoint's, where there is one. */
export class ConnectorInUse {
  /** `own` goes with its device. */
  private other: { own: OwnConnector | undefined; values: ConnectorValues; info: ConnectorInfo } | undefined

  get values(): ConnectorValues | undefined {
    return this.other?.values
  }

  /** Undefined for the checkpoint's own. */
  get name(): string | undefined {
    return this.other?.info.name
  }

  /** Has chats go through these values, or the checkpoint's own. Throws: CheckpointError where they do not fit the model. */
  async put(
    model: ChatModel,
    values: ConnectorValues | undefined,
    info: Omit<ConnectorInfo, 'parameters'>,
  ): Promise<ConnectorInfo> {
    const { gpu } = model.vlm
    const { blueprint } = model.opened
    const parameters = Object.values(connectorSpecs(blueprint)).reduce(
      (sum, { shape }) => sum + elementCount(shape),
      0,
    )
    const told = { ...info, parameters }
    const next = values && { own: gpu.allOrNone(() => new OwnConnector(gpu, blueprint)), values, info: told }
    try {
      next?.own.write(next.values)
      await gpu.check()
    } catch (error) {
      next?.own.destroy()
      throw error
    }
    this.forget()
    this.other = next
    model.useConnector(next?.own.connector)
    return told
  }

  /** The device is gone, and it with it. */
  modelLost(): void {
    if (this.other) this.other = { ...this.other, own: undefined }
  }

  /** Puts it in its place again in a model that came back. */
  async modelBack(model: ChatModel): Promise<void> {
    if (this.other) await this.put(model, this.other.values, this.other.info)
  }

  /** Frees it; its model is about to go. */
  forget(): void {
    this.other?.own?.destroy()
    this.other = undefined
  }
}
