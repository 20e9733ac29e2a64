import { countIn } from '../../number'
import type { Messages } from '../en'

const count = (value: number) => countIn('zh', value)

export const models = {
  title: '模型',
  intro: '一次只加载一个模型。更换模型时对话会保留。',
  list: '可选模型',
  loaded: '已加载',
  review: '查看并加载',

  facts: {
    noOtherDownload: (size: string) => `${size}，无需其他下载`,
    download: (size: string) => `下载 ${size}`,
    downloadUnknown: '下载大小：开始前告知',
    parameters: (amount: string) => `${amount}参数`,
    licence: (name: string) => `许可证：${name}`,
    gpu: (weights: string, cache: string) => `GPU，仅权重：${weights}；4,096 token 的上下文需 ${cache}`,
    gpuByTowers: (q4GB: number, f16GB: number) => `GPU：q4 约 ${q4GB} GB，编码器逐个运行；f16 为 ${f16GB} GB`,
  },

  sources: {
    title: '其他模型',
    address: 'Hugging Face 仓库，或文件夹的网址',
    placeholder: 'owner/name 或 https://…',
    lookUp: '查询',
    folder: '本地文件夹',
    folderHint: '本机上的文件夹，含 config.json、tokenizer.json 和 *.safetensors',
    chooseFolder: '选择文件夹',
    unnamedFolder: '本地文件夹',
    noConfig: '该文件夹中没有 config.json。请选择包含 config.json 和 *.safetensors 的文件夹。',
    noWeights: '该文件夹有 config.json 但没有权重。*.safetensors 文件应与它放在一起。',
  },

  address: {
    empty: '请输入仓库（如 llava-hf/llava-1.5-7b-hf）或网址。',
    neither: '这既不是 owner/name，也不是以 https:// 开头的网址。',
    noModel: '该网址没有指明模型；它应类似 https://huggingface.co/owner/name。',
    notOfModel: '这不是模型的网址。',
    malformed: (text: string) => `${text} 不是网址。网址应以 https:// 开头。`,
    insecure: '只支持 https 网址，或 localhost 上的 http。',
    mixed: '此页面通过 https 打开，浏览器只允许它访问 https 服务器或 localhost。',
  },

  server: {
    title: '服务器上的模型',
    about:
      '适用于此设备容纳不下的模型。可由 vLLM、SGLang、llama.cpp、transformers serve 等支持 OpenAI chat completions 协议的服务器代为回答。',
    address: '服务器地址',
    key: 'API 密钥（如服务器需要）',
    keyHint: '仅保留到页面关闭，从不存储，且只发送给此服务器。',
    model: '模型',
    choose: '从它的模型中选择',
    asking: '正在查询它有哪些模型…',
    notListed: '此服务器不列出其模型。请输入它所知的名称。',
    sends: (host: string) => `您的图片和问题会发送到 ${host} 并在那里回答，其运营者可以读取它们。`,
    open: (host: string) => `到 ${host} 的连接未加密：网络上的其他人可以读取内容。`,
    cannot: '查看它在看哪里、性能分析和训练都需要此设备上的模型。',
    start: '使用此模型',
  },

  stored: {
    title: '本设备上的模型',
    room: (used, most) => `本站已存储 ${used}；浏览器允许存储 ${most}。`,
    persistent: '浏览器会一直保留，直到您将其移除。',
    mayGo: '磁盘空间不足时，浏览器可能会清除它们。',
    persist: '请浏览器长期保留',
    unfinished: (done, total) => `已有 ${done}，共 ${total}；其余部分在下次加载时下载`,
    lastUsed: (day) => `上次使用：${day}`,
    verify: '校验',
    verifying: (done, total) => `正在校验：${done} / ${total}`,
    sound: '所有文件均与其来源声明的一致。',
    damaged: (files) => `已损坏并移除，下次加载时重新下载：${files}`,
    remove: '移除',
    removeSure: (name) => `要从本设备移除 ${name} 吗？`,
    keep: '保留',
  },

  options: {
    weights: 'GPU 上的权重',
    context: '上下文（token）',
    memory: '显存（GB）',
    automatic: '自动',
    memoryHint: '最多可占用的显存。放不下的视觉编码器会在每个带新图片的问题中重新读取。',
    dtypes: {
      auto: '按发布的 16 位；仅在放不下时使用更小的格式',
      f16: '16 位，与发布时相同',
      q8: '8 位：显存约减半，几乎无损',
      q4: '4 位：显存约为三分之一，略有损失',
      f32: '32 位：显存加倍，用于对比',
    },
    about: (dtype: string) =>
      `${dtype}。上下文：自动即模型自身的上限，最多 4,096；更长的对话需要更长的上下文和更多显存。`,
    source: '来源选项',
    token: '访问令牌，用于私有或受限模型',
    tokenHint: '仅保留到页面关闭，从不存储，且只发送给下方的主机。',
    hub: 'Hub 地址',
  },

  plan: {
    reading: '正在读取配置…',
    architecture: '架构',
    model: (architecture: string, parameters: string, dtype: string) =>
      `${architecture}，${parameters}参数，格式 ${dtype}`,
    reads: '读取',
    downloads: '下载',
    files: (size: string, files: number) => `${size}，共 ${count(files)} 个文件`,
    context: '上下文',
    contextWithPictures: (tokens: number, ofPicture: number) =>
      `${count(tokens)} token，每张图片占 ${count(ofPicture)}`,
    contextOfText: (tokens: number) => `${count(tokens)} token；不支持图片`,
    memory: '显存',
    about: (size: string) => `约 ${size}`,
    parts: {
      vision: '视觉',
      connector: '连接器',
      language: '语言模型',
      kvCache: '上下文（KV cache）',
      activations: '工作内存',
    },
    towers: '视觉编码器',
    tower: '编码器',
    parameters: '参数量',
    resident: '常驻 GPU',
    stays: '常驻',
    fetched: '按需读取',
    allFetched: (size: string, isLocal: boolean) =>
      `编码器无法与其余部分同时放下：${fetching(size, isLocal)}`,
    someFetched: (towers: number, size: string, isLocal: boolean) =>
      `有 ${count(towers)} 个编码器无法与其余部分同时放下：${fetching(size, isLocal)}`,
    tooLarge: '这超出了 GPU 的已知容量。使用更小的权重或更短的上下文会有帮助。',
    straight: '文件从其主机直接传到此浏览器。除下载请求外，不会向那里发送任何内容。',
    load: '加载',
    loadAnyway: '仍要加载',
    download: (size: string) => `下载 ${size} 并加载`,
    downloadAnyway: (size: string) => `仍要下载 ${size} 并加载`,
    answering: '正在生成回答。请先停止。',
  },

  load: {
    connecting: (host: string) => `正在连接 ${host}`,
    title: (model: string) => `正在加载 ${model}`,
    untitled: '正在加载模型',
    cancelling: '正在取消…',
    config: '配置',
    weights: '权重',
    compile: 'GPU 内核',
    opening: '正在打开 GPU',
    reading: (file: string) => `正在读取 ${file}`,
    amount: (done: string, total: string) => `${done} / ${total}`,
    kernel: (done: number, total: number) => `内核 ${done} / ${total}`,
    ready: '就绪',
    progress: '正在加载',
    left: (time: string) => `剩余时间：${time}`,
    file: (number: number, files: number, name: string, done: string, total: string) =>
      `文件 ${number} / ${files}：${name}，${done} / ${total}`,
  },

  catalogue: {
    'llava-hf/llava-interleave-qwen-0.5b-hf': {
      about: '小型通用助手，处理普通照片的首选。支持多张图片。',
      licence: '通义千问，仅限研究',
    },
    'llava-hf/llava-1.5-7b-hf': {
      about: '经典模型。能描述场景、读大号文字；q4 下需要 8 GB 以上显存的 GPU。',
      licence: 'Llama 2 Community License',
    },
    'llava-hf/llava-1.5-13b-hf': {
      about: '比 7B 更细致一些，下载量翻倍；适合 16 GB 以上显存的 GPU。',
      licence: 'Llama 2 Community License',
    },
    'nyu-visionx/cambrian-phi3-3b': {
      about: '同时用四个视觉编码器观察，并显示各自提供了什么。编码器位于各自的仓库中。',
      licence: '自身许可证及其编码器仓库的许可证',
    },
    'nyu-visionx/cambrian-8b': {
      about: '同样四个编码器配 Llama 3 8B：回答更细致。',
      licence: 'Llama 3 Community License，以及其编码器仓库的许可证',
    },
    'Qwen/Qwen2.5-0.5B-Instruct': {
      about: '纯文本：看不到图片。试用快捷，擅长执行简短的指令。',
      licence: 'Apache 2.0',
    },
  },

  bundled: {
    'trilobite-nano-cambrian': {
      about:
        '随本页提供：微缩版 Cambrian-1，有两个视觉编码器，能显示它在看哪里。认识彩色图形的画、十类小照片和单个数字；对其他内容也照样回答，但通常是错的。',
    },
    'trilobite-nano-llava': {
      about:
        '同样随本页提供：微缩版 LLaVA，只有一个编码器，认识同一个小世界。体积减半，目前在画和照片上的准确率略高。',
    },
    'trilobite-nano-stage1': {
      about:
        '用于训练，不用于聊天：第 1 阶段之前的 trilobite-nano-llava。它的编码器认识图片，语言模型认识词语，但两者之间的投影层是随机的，因此训练之前的回答毫无意义。',
    },
  },
} satisfies Messages['models']

function fetching(size: string, isLocal: boolean): string {
  const how = isLocal ? `要读取 ${size}` : `要从浏览器缓存或主机获取 ${size}`
  return `每个带新图片的问题都${how}，编码器逐个进行。在选项中给出更多显存可保留更多编码器。`
}
