//go:build wasip1

package probe

import "github.com/posternhq/postern/hostabi"

// data tries what can be done with bytes that the host keeps.
func data(r *report) {
	h := r.keep("0123456789")
	r.yes("handle_new", int32(h) > 0)
	r.is("handle_len", handleLen(r.ex, h), 10)
	read := func(offset int64, size uint32) string { return text(handleRead(r.ex, h, offset, outAt(), size)) }
	r.text("handle_read all", read(0, 100), "0123456789")
	r.text("handle_read a range", read(3, 4), "3456")
	r.text("handle_read beyond the end", read(8, 10), "89")
	r.text("handle_read at the end", read(10, 10), "")
	r.text("handle_read far behind the end", read(1<<40, 10), "")
	r.text("handle_read nothing", read(0, 0), "")
	if n := handleRead(r.ex, h, -1, outAt(), 4); n != 0 {
		r.code("handle_read at a negative offset: nothing or an error", n, hostabi.BadArgument)
	}
	r.code("handle_read: a buffer outside memory", handleRead(r.ex, h, 0, wild, 64), hostabi.BadArgument)
	ranges(r, "handle_new", func(p, n uint32) int32 { return handleNew(r.ex, p, n) })
	empty := r.keep("")
	r.is("handle_len of an empty one", handleLen(r.ex, empty), 0)
	r.is("handle_drop", int64(handleDrop(r.ex, h)), 0)
	for name, gone := range map[string]uint32{"dropped": h, "0": 0, "never made": 4711, "negative": huge} {
		r.code("handle_len of handle "+name, int32(handleLen(r.ex, gone)), hostabi.NotFound)
		r.code("handle_read of handle "+name, handleRead(r.ex, gone, 0, outAt(), 4), hostabi.NotFound)
		r.code("handle_drop of handle "+name, handleDrop(r.ex, gone), hostabi.NotFound)
		r.code("json_get of handle "+name, jsonGet(r.ex, gone, outAt(), 0, outAt(), 4), hostabi.NotFound)
		r.code("json_transform of handle "+name, jsonTransform(r.ex, gone, outAt(), 0), hostabi.NotFound)
	}
	documents(r)
}

func documents(r *report) {
	h := r.keep(`{"a":{"b~/c":[1,"tw\u00f6",null,{"d":1.50}]},"":7,"s":"text"}`)
	get := func(pointer string) int32 {
		at := put(pointer)
		return jsonGet(r.ex, h, at[0], uint32(len(pointer)), outAt(), uint32(len(out)))
	}
	for pointer, want := range map[string]string{
		"/s": "text", "/a/b~0~1c/0": "1", "/a/b~0~1c/1": "twö", "/a/b~0~1c/2": "null", "/a/b~0~1c/3": `{"d":1.50}`, "/": "7",
	} {
		r.text("json_get "+pointer, text(get(pointer)), want)
	}
	for _, pointer := range []string{"/missing", "/s/x", "/a/b~0~1c/9", "/a/b~0~1c/-", "/a/b~0~1c/01"} {
		r.code("json_get "+pointer, get(pointer), hostabi.NotFound)
	}
	at := put("/s")
	buffers(r, "json_get", 4, func(buf, size uint32) int32 { return jsonGet(r.ex, h, at[0], 2, buf, size) })
	ranges(r, "json_get pointer", func(p, n uint32) int32 { return jsonGet(r.ex, h, p, n, outAt(), 4) })
	rows := r.keep(`{"items":[{"n":"b","v":2},{"n":"a","v":1},{"n":"c","v":3}]}`)
	transform := func(program string) int32 {
		at := put(program)
		return jsonTransform(r.ex, rows, at[0], uint32(len(program)))
	}
	made := transform(`[{"get":"/items"},{"where":{"at":"/n","in":["a","b"]}},{"sort":{"by":"/n"}},{"map":"/v"}]`)
	r.yes("json_transform", made > 0)
	r.text("json_transform's document", r.handle(uint32(made)), "[1,2]")
	for _, program := range []string{"", "{", `[{"unknown":1}]`, `[{"get":7}]`, `"text"`} {
		r.code("json_transform "+program, transform(program), hostabi.BadArgument)
	}
	ranges(r, "json_transform program", func(p, n uint32) int32 { return jsonTransform(r.ex, rows, p, n) })
}
