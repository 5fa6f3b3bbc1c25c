package config

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// setScalar parses text into v, a scalar of any type a key may have.
func setScalar(v reflect.Value, text string) error {
	switch v.Type() {
	case durationType:
		return setDuration(v, text)
	case sizeType:
		size, err := ParseSize(text)
		v.SetInt(int64(size))
		return err
	case prefixType:
		return setPrefix(v, text)
	}
	switch v.Kind() {
	case reflect.Pointer:
		target := reflect.New(v.Type().Elem())
		v.Set(target)
		return setScalar(target.Elem(), text)
	case reflect.String:
		v.SetString(text)
		return nil
	case reflect.Bool:
		return setBool(v, text)
	case reflect.Int:
		return setInt(v, text)
	case reflect.Float64:
		return setFloat(v, text)
	}
	return fmt.Errorf("cannot set a %s", v.Type())
}

// setDuration takes a number without a unit only when it is 0: upstream reads
// 10 as ten nanoseconds, which nobody means.
func setDuration(v reflect.Value, text string) error {
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil {
		return fmt.Errorf("cannot parse %q as duration (for example 10s, 2h0m0s)", text)
	}
	v.SetInt(int64(d))
	return nil
}

// setPrefix takes an address without a length as that address alone.
func setPrefix(v reflect.Value, text string) error {
	if addr, err := netip.ParseAddr(text); err == nil {
		v.Set(reflect.ValueOf(netip.PrefixFrom(addr.WithZone(""), addr.BitLen())))
		return nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return fmt.Errorf("cannot parse %q as network (for example 10.0.0.0/8)", text)
	}
	v.Set(reflect.ValueOf(prefix.Masked()))
	return nil
}

func setBool(v reflect.Value, text string) error {
	b, err := strconv.ParseBool(text)
	if err != nil {
		return fmt.Errorf("cannot parse %q as true or false", text)
	}
	v.SetBool(b)
	return nil
}

// setInt also takes 1e+06, which is how Go and Helm print a million.
func setInt(v reflect.Value, text string) error {
	if n, err := strconv.ParseInt(text, 10, strconv.IntSize); err == nil {
		v.SetInt(n)
		return nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return fmt.Errorf("cannot parse %q as whole number", text)
	}
	v.SetInt(int64(f))
	return nil
}

func setFloat(v reflect.Value, text string) error {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return fmt.Errorf("cannot parse %q as number", text)
	}
	v.SetFloat(f)
	return nil
}
