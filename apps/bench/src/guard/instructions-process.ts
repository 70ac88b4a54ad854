// The process whose instructions are counted: it starts and verifies cached tokens as many times as
// the argument says. The counting is in instructions.ts.
import { createScene } from './scene.ts';

const times = Number(process.argv[2]);
const { tokens, cached } = await createScene();
// The cache keeps a token from its second verification on.
for (const token of [...tokens, ...tokens]) await cached.verify(token);
for (let index = 0; index < times; index++) await cached.verify(tokens[index % tokens.length] ?? '');
