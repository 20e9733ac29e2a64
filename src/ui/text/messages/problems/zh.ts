import type { Messages } from '../en'

export const problems = {
  insecureAddress: {
    title: '此网址上无法使用 WebGPU。',
    advice: '浏览器只允许在 https 或 localhost 上使用 WebGPU。请从那里打开页面。',
  },
  noWebGpu: {
    title: '此浏览器不支持 WebGPU。',
    advice: '请用最新版 Chrome 或 Edge、Safari 26 及以上，或 Windows 上的 Firefox 141 及以上打开此页面。',
  },
  noGpu: {
    title: '未找到可用的 GPU。',
    advice: '请在浏览器设置中开启图形加速，更新显卡驱动，然后刷新页面。',
  },
  wrongValues: {
    title: '此 GPU 的计算结果有误，回答将毫无意义。',
    advice: '请更新浏览器和显卡驱动，或换用其他浏览器，然后刷新页面。',
  },
  gpuLost: {
    title: '与 GPU 的连接已断开。',
    advice:
      '您的对话已保留。重新加载模型即可继续。如果再次发生，请关闭其他使用 GPU 的标签页，或以更小的权重或更短的上下文加载模型。',
  },
  shaderRefused: {
    title: '显卡驱动拒绝了引擎的一部分。',
    advice: '请更新显卡驱动和浏览器，或换一个浏览器，然后重新加载模型。',
  },
  outOfMemory: {
    title: '显存不足。',
    advice:
      '请以 q8 或 q4、更短的上下文加载模型，或选择更小的模型。关闭其他标签页也有帮助。各方案所需显存见详细信息。',
  },
  offline: {
    title: '您处于离线状态。',
    advice: '请联网后重试。内置模型和本地文件夹无需网络即可使用。',
  },
  refused: {
    title: '主机拒绝提供此模型。',
    advice: '它可能是私有的，或要求您接受其条款。请在模型页面上接受条款，然后在“来源选项”中填写访问令牌。',
  },
  notFound: {
    title: '未找到模型或其中某个文件。',
    advice: '请检查名称和版本的拼写，并确认仓库中有 safetensors 文件。',
  },
  tooManyRequests: {
    title: '主机要求放慢请求。',
    advice: '请等一分钟后重试。',
  },
  notDownloaded: {
    title: '有文件无法下载。',
    advice: '请检查网络连接后重试。拦截插件或不支持 CORS 的主机也可能造成此问题。',
  },
  serverUnreachable: {
    title: '服务器没有响应。',
    advice: '请启动它，并检查地址和端口。详细信息中有所请求的内容。',
  },
  serverBlocked: {
    title: '服务器不允许此页面读取其回答。',
    advice: '请在服务器上允许此页面的来源（CORS）。详细信息中有该来源和常用选项。',
  },
  serverInsecure: {
    title: '此页面不能访问没有 https 的服务器。',
    advice: '请通过 https 提供服务，或从 localhost 打开此页面。',
  },
  serverDenied: {
    title: '服务器需要可使用此模型的 API 密钥。',
    advice: '请在“模型”中填写。它仅保留到页面关闭。',
  },
  serverMissing: {
    title: '服务器没有此模型，或此地址上什么也没有。',
    advice: '请检查模型名称和地址，地址通常以 /v1 结尾。',
  },
  serverBusy: {
    title: '服务器繁忙或出现故障。',
    advice: '已多次请求。请稍候再试。',
  },
  serverRefused: {
    title: '服务器没有按预期回答。',
    advice: '详细信息中有它的原话。',
  },
  answerBroken: {
    title: '回答中断了。',
    advice: '此前的内容保留在上方。请重新提问以获得完整回答。',
  },
  damagedWeights: {
    title: '模型的权重已损坏，或与其配置不符。',
    advice: '请重新加载。如果同一文件再次失败，则是模型文件本身有问题：请选择其他模型。',
  },
  unsupportedConfig: {
    title: 'Trilobite 无法运行此模型的配置。',
    advice: '详细信息中指明了相关字段。请选择 Hugging Face 格式的 LLaVA 模型，或列表中的模型。',
  },
  unreadablePicture: {
    title: '有图片无法读取。',
    advice: '请使用 PNG、JPEG、WebP 或 GIF 文件。在图片编辑器中打开并重新保存往往有效。',
  },
  unfitTemplate: {
    title: '此对话不符合模型的对话模板。',
    advice: '请删除系统提示词或开始新对话；有些模型不支持系统提示词，或不支持后续再添加图片。',
  },
  contextFull: {
    title: '对话超出了模型的上下文长度。',
    advice: '请开始新对话、缩短问题，或以更长的上下文加载模型。',
  },
  unfitShapes: {
    title: '模型的各部分不匹配。',
    advice: '其文件中某个尺寸不一致，详细信息中指明了位置。请选择其他模型。',
  },
  unusableData: {
    title: '这些数据无法直接使用。',
    advice:
      '详细信息中指明了文件或行。请提供 LLaVA 的 JSON 或 JSONL、CSV 或 TSV 表格，或附有 .txt 文件的图片，并一并提供图片。',
  },
  diverged: {
    title: '训练已停止：数值不再有限。',
    advice:
      '请用更低的学习率、更长的预热，或以 f32 加载模型开始新的训练。本次训练保留了最后的检查点，新训练可从它开始。',
  },
  trainedElsewhere: {
    title: '此训练正在另一个标签页或程序中进行。',
    advice: '请在那里暂停，或关闭那个标签页，然后重试。',
  },
  otherRunTraining: {
    title: '另一个训练正在进行。',
    advice: '请先暂停或停止它，然后重试。',
  },
  cannotTrain: {
    title: '训练无法这样开始或继续。',
    advice: '详细信息中说明了原因和需要更改之处。训练会保留最后的检查点。',
  },
  cancelled: { title: '已取消。' },
  crashed: {
    title: '引擎意外停止。',
    advice: '您的对话已保留。重新加载模型即可继续。',
  },
  storageFull: {
    title: '浏览器的存储空间已满。',
    advice: '刷新页面后此对话将丢失。请释放磁盘空间或开始新对话。',
  },
  unknown: {
    title: '出了点问题。',
    advice: '请重试。如果问题仍然存在，请刷新页面；您的对话会保留。',
  },
} satisfies Messages['problems']
