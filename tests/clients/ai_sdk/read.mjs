// Prints the text that the AI SDK reads from the gateway at argv[2]; at an error event it says
// what the SDK says, and fails.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText } from "ai";

const gateway = createOpenAICompatible({ name: "gateway", baseURL: `${process.argv[2]}/v1` });
const { fullStream } = streamText({
  model: gateway("m"),
  prompt: "hello",
  maxRetries: 0,
  onError: () => {}, // it would print the error; the stream below has it too
});
for await (const part of fullStream) {
  if (part.type === "text-delta") process.stdout.write(part.text);
  if (part.type === "error") {
    console.error(part.error);
    process.exitCode = 1;
  }
}
