// read_handles.mjs: reads a profile of live handles with a reader of other people and holds what
// it sees against what is known of the program.
//
//   read_handles.mjs MODULES PROFILE INVENTORY/FUNCTION=COUNT,BYTES...
//
// MODULES is the node_modules folder. FUNCTION is the innermost one of a holder.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import zlib from 'node:zlib';
import { loadSpeedscope } from './speedscope.mjs';

const [modules, file, ...expectations] = process.argv.slice(2);
const { Profile } = await import(pathToFileURL(path.join(modules, 'pprof-format/dist/esm/index.js')));
const bytes = zlib.gunzipSync(fs.readFileSync(file));
const profile = Profile.decode(bytes);
const text = (index) => profile.stringTable.strings[Number(index)];
const functions = new Map(profile.function.map((item) => [Number(item.id), item]));
const locations = new Map(profile.location.map((item) => [Number(item.id), item]));

assert.deepEqual(profile.sampleType.map((type) => `${text(type.type)}/${text(type.unit)}`),
    ['handles/count', 'age/nanoseconds', 'size/bytes']);

const found = new Map();
let total = 0;
for (const sample of profile.sample) {
    const [count, age, size] = sample.value.map(Number);
    const labels = new Map(sample.label.map((label) => [text(label.key), label]));
    const inventory = text(labels.get('inventory').str);
    const edge = Number(labels.get('age_s').num);
    assert.equal(text(labels.get('age_s').numUnit), 'seconds');
    assert.ok(count > 0 && size >= 0);
    const mean = age / count / 1e9;
    assert.ok(mean >= edge && mean < Math.max(edge * 10, 1), `a mean age of ${mean} s in the bucket of ${edge} s`);
    const innermost = locations.get(Number(sample.locationId[0])).line[0];
    const key = `${inventory}/${text(functions.get(Number(innermost.functionId)).name)}`;
    const sums = found.get(key) ?? [0, 0];
    found.set(key, [sums[0] + count, sums[1] + size]);
    total += count;
}
assert.deepEqual(new Map([...found].sort()),
    new Map(expectations.map((one) => one.split('=')).map(([key, sums]) => [key, sums.split(',').map(Number)]).sort()));

const seen = loadSpeedscope(modules)(bytes);
assert.equal(seen.getTotalWeight(), total, 'speedscope counts all handles');
console.log(`read by pprof-format and speedscope: ${profile.sample.length} samples, ${total} handles`);
