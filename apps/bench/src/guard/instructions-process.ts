// What is counted: so many verifications of tokens seen before, and everything that comes before
// them.
import { createScene } from './scene.ts';

const times = Number(process.argv[2]);
const { tokens, cached } = await createScene();
// Kept the second time.
for (const token of [...tokens, ...tokens]) await cached.verify(token);
for (let index = 0; index < times; index++) await cached.verify(tokens[index % tokens.length] ?? '');
