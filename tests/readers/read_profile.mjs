// read_profile.mjs: reads a threads profile with two readers of other people
// and holds what they see against what is known of the program.
//
//   read_profile.mjs MODULES PROFILE THREADS WITH_TID FUNCTION=COUNT...
//
// MODULES is the node_modules folder. THREADS is how many threads the profile must
// hold, each FUNCTION=COUNT how many of them have FUNCTION in their stack.
// WITH_TID 1: every sample has a `tid` of its own.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import zlib from 'node:zlib';
import { loadSpeedscope } from './speedscope.mjs';

const [modules, file, threads, withTid, ...expectations] = process.argv.slice(2);
const { Profile } = await import(pathToFileURL(path.join(modules, 'pprof-format/dist/esm/index.js')));
const bytes = zlib.gunzipSync(fs.readFileSync(file));
const expected = expectations.map((text) => text.split('='));

const profile = Profile.decode(bytes);
const text = (index) => {
    assert.ok(Number(index) < profile.stringTable.strings.length, `no string ${index}`);
    return profile.stringTable.strings[Number(index)];
};
const byId = (items) => new Map(items.map((item) => [Number(item.id), item]));
const functions = byId(profile.function);
const locations = byId(profile.location);
const mappings = byId(profile.mapping);

function checkTables() {
    assert.equal(text(0), '', 'the first string is empty');
    assert.equal(new Set(profile.stringTable.strings).size, profile.stringTable.strings.length, 'each string once');
    for (const [items, table] of [[profile.function, functions], [profile.location, locations], [profile.mapping, mappings]]) {
        assert.equal(items.length, table.size, 'each id once');
        assert.ok(!table.has(0), 'no id is 0');
    }
    assert.deepEqual(profile.sampleType.map((type) => `${text(type.type)}/${text(type.unit)}`),
        ['threads/count', 'blocked/nanoseconds']);
    assert.equal(text(profile.defaultSampleType), 'threads');
    assert.equal(`${text(profile.periodType.type)}/${text(profile.periodType.unit)}`, 'threads/count');
    const age = Date.now() - Number(BigInt(profile.timeNanos) / 1000000n);
    assert.ok(age >= -1000 && age < 600000, `time_nanos is ${age} ms ago`);
    assert.ok(profile.comment.some((comment) => /threads: \d+ captured by procfs/.test(text(comment))));
}

function checkMappings() {
    for (const mapping of profile.mapping) {
        assert.ok(BigInt(mapping.memoryStart) < BigInt(mapping.memoryLimit), 'a mapping has an extent');
        assert.notEqual(text(mapping.filename), '', 'a mapping has a name');
    }
    const program = profile.mapping.find((mapping) => /\/assorted$/.test(text(mapping.filename)));
    assert.ok(program, 'the program is a mapping');
    assert.match(text(program.buildId), /^[0-9a-f]{16,}$/);
    assert.ok(program.hasFunctions && program.hasFilenames && program.hasLineNumbers, 'the program has symbols');
    for (const location of profile.location) {
        assert.ok(location.line.length > 0, 'a location has a line');
        if (Number(location.mappingId) === 0)
            continue;
        const mapping = mappings.get(Number(location.mappingId));
        assert.ok(mapping, `no mapping ${location.mappingId}`);
        const address = BigInt(location.address);
        assert.ok(address >= BigInt(mapping.memoryStart) && address < BigInt(mapping.memoryLimit),
            `address ${address.toString(16)} outside of ${text(mapping.filename)}`);
    }
    for (const item of profile.function)
        assert.notEqual(text(item.name), '', 'a function has a name');
}

// A sample's function names, innermost first.
function namesOf(sample) {
    return sample.locationId.flatMap((id) => {
        const location = locations.get(Number(id));
        assert.ok(location, `no location ${id}`);
        return location.line.map((line) => {
            assert.ok(functions.has(Number(line.functionId)), `no function ${line.functionId}`);
            return text(functions.get(Number(line.functionId)).name);
        });
    });
}

function checkSamples() {
    let total = 0;
    const found = new Map();
    const tids = new Set();
    for (const sample of profile.sample) {
        assert.equal(sample.value.length, 2, 'a value for each type');
        assert.ok(sample.locationId.length > 0, 'a sample has a stack');
        const count = Number(sample.value[0]);
        assert.ok(count > 0 && Number(sample.value[1]) >= 0, 'values are counts and times');
        total += count;
        for (const name of new Set(namesOf(sample)))
            found.set(name, (found.get(name) ?? 0) + count);
        const labels = new Map(sample.label.map((label) => [text(label.key), label]));
        for (const key of ['thread', 'state', 'capture'])
            assert.ok(labels.has(key) && text(labels.get(key).str) !== '', `a sample has the label ${key}`);
        assert.equal(labels.has('tid'), withTid === '1');
        if (withTid === '1') {
            assert.equal(count, 1, 'with thread ids each thread is a sample');
            tids.add(Number(labels.get('tid').num));
        }
    }
    assert.equal(total, Number(threads), 'all threads are there');
    if (withTid === '1')
        assert.equal(tids.size, total, 'each thread id once');
    for (const [name, count] of expected)
        assert.equal(found.get(name) ?? 0, Number(count), `threads in ${name}`);
}

function checkSpeedscope() {
    const seen = loadSpeedscope(modules)(bytes);
    assert.ok(seen, 'speedscope reads it');
    assert.equal(seen.getTotalWeight(), Number(threads), 'speedscope counts all threads');
    const weights = new Map();
    seen.forEachFrame((frame) => weights.set(frame.name, (weights.get(frame.name) ?? 0) + frame.getTotalWeight()));
    for (const [name, count] of expected)
        assert.equal(weights.get(name) ?? 0, Number(count), `speedscope: threads in ${name}`);
}

checkTables();
checkMappings();
checkSamples();
checkSpeedscope();
console.log(`read by pprof-format and speedscope: ${profile.sample.length} samples, ${threads} threads`);
