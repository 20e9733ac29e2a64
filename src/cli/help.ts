/** What `--help` prints. */
export const HELP = `trilobite: ask a vision-language model about images, on this machine's GPU, and train its connector

  trilobite ask --model PATH|ID [--image FILE]... --prompt TEXT [--prompt TEXT]...
      --prompt TEXT           a question; each further one is the next turn of the same chat
      --image FILE            PNG, JPEG, WebP or GIF; all of them belong to the first turn
      --connector PATH        chat through an exported connector: a folder, .safetensors or mm_projector.bin
      --dtype D               how weights are held: auto (default), f32, f16, q8, q4
      --max-new-tokens N      longest reply in tokens (default 512)
      --temperature T         0 (default) is greedy
      --top-p P  --top-k K    keep the likeliest tokens only (default 1 and 0: all)
      --seed S                of the sampling (default 0)
      --endpoint URL          asks a server with OpenAI's chat completions (vLLM, llama.cpp ...), where --model is the name
                              it knows; the key, if it wants one, is taken from TRILOBITE_API_KEY
      --raw                   the prompt verbatim, no chat template; each <image> in it takes the next --image
      --template NAME         chat template by the field's name (vicuna_v1, llama_3, chatml, phi3, plain ...)
                              for checkpoints that bring none
      --json                  one JSON object on stdout instead of streamed text
      --dump FILE             safetensors of turn 1: pixel_values, vision_features, connector_output,
                              inputs_embeds, logits
  trilobite plan --model PATH|ID [--dtype D] [--memory GB] [--json]
      what loading would take: download, GPU memory by part, whether it fits
  trilobite train --model PATH|ID --data FILE [--images DIR] --out DIR [--resume]
      trains the connector on picture/caption pairs; Ctrl+C pauses, --resume goes on to the same numbers
      --data FILE             LLaVA's .json or .jsonl, a .csv or .tsv with captions, a .zip, or a folder
      --images DIR            where its pictures are (default: where the data is)
      --out DIR               the run, its checkpoint and log, the exported connector, and skipped.jsonl: rows left out
      --recipe R              llava-1.5 (default), cambrian-1 (default for models of Cambrian-1), tinyllava: the values
                              that no option below changes
      --steps N | --epochs E  how long
      --batch-size B          samples that go through the GPU together
      --accumulate A          batches of a step
      --lr X  --sampler-lr X  learning rate, and that of vision_query and vision samplers (or: none)
      --warmup-ratio W  --schedule cosine|linear|constant
      --weight-decay X  --max-grad-norm X  --max-tokens N  --seed S
      --template NAME         plain (picture and caption), model (the checkpoint's own), or a chat template's name
      --caption-end eos|newline
      --start checkpoint|fresh   from the checkpoint's connector (default, whatever the recipe says) or a new one
      --image-aspect-ratio model|square|pad   pictures that are no squares: as in a chat, as the tower's
                              processor takes them, or padded
      --order FILE            JSON: step -> micro-batch -> row numbers, counted from 0; alone, or as "micro_batches" or
                              "order" of an object. It goes before --steps, --epochs and batch sizes
      --eval-data FILE        rows for validation, with the same images; a heldout, validation, val, eval or test
                              file beside the data is taken by itself
      --held-out N            instead: keep N rows of the data, chosen by the seed (default 0); with --eval-data: at
                              most N of its rows (default 0: all)
      --eval-every N          steps between validations (default 100; 0: at the end alone)
      --captions N            held-out pictures captioned at each (default 2)
      --checkpoint-every N    steps between checkpoints (default 10)
      --layout L              key names of the export: llava, hf, tinyllava, cambrian (default: the checkpoint's own)
      --cache DIR             keeps what the frozen towers see (default: OUT/features)
      --json                  a line {step, loss, lr, gradNorm, tokens, ms} a step, and {done, out, evalLoss, steps}
                              with evalLossBefore, where the first step was validated before
  trilobite gradcheck --model PATH|ID [--directions N] [--seed S] [--dtype D] [--json]
      gradients against finite differences along N (default 4) random directions, in f32; exit status 1 if they differ
  trilobite bench --model PATH|ID [--image FILE]... [--prompt TEXT] [--dtype D]
      medians of loading, time to the first token, prompt and decoding speed; dispatches a token
      --prompt TEXT           the question (default "Describe the image.", without one "Tell me a story.")
      --max-new-tokens N      longest reply in tokens (default 128)
      --runs R                loads and answers that are timed (default 3), behind one that is not
      --profile               time by kernel too: dispatches, ms, share, GFLOP/s while encoding, reading and decoding
      --json                  one JSON object
  trilobite info [--json]
      the adapter, its limits and features, and the self-test's result
  trilobite tune [--json]
      measures which forms of kernels are the fastest on this machine's GPU, and keeps that for all later commands

  On every command
      --adapter A             auto (default: hardware, else lavapipe, else SwiftShader), default, lavapipe, swiftshader
  Where --model is taken
      --repos DIR             OWNER/NAME is looked for in DIR/OWNER/NAME before the hub, also where a checkpoint refers to it
      --base PATH|ID          the language model of an adapter, a checkpoint that holds a connector alone
      --memory GB             GPU memory to stay within: vision towers that do not fit are fetched for each question

  PATH|ID is a folder, OWNER/NAME[@REVISION] on Hugging Face, the URL of a folder, or a bundled model:
  "bundled" (trilobite-nano-cambrian), "bundled/trilobite-nano-llava" or "bundled/trilobite-nano-stage1".
  HF_TOKEN and HF_ENDPOINT are honoured. Errors: one line "Name: message" on stderr, exit status 1.`
