;; Compares one int8 query with many int8 vectors, 16 dimensions of four vectors per step.
;; Memory: the query as int16 values at $query; contiguous vectors of $dimensions bytes at $vectors, their scales as float32 at
;; $scales. The scaled dot product of vector i is stored as float32 at $scores + 4 i. The number i / 4 of every group of four
;; vectors with a score above $floor is stored as int32 at $found, consecutively; returns the end of these. $dimensions is a
;; multiple of 16. Vectors are processed in groups of four: up to three vectors, scales and scores beyond $count are read and
;; written.
(module
  (memory (export "memory") 1)
  (func (export "compare")
    (param $query i32) (param $vectors i32) (param $scales i32) (param $count i32) (param $dimensions i32) (param $floor f32)
    (param $scores i32) (param $found i32) (result i32)
    (local $stop i32) (local $four i32) (local $queryStop i32) (local $q i32)
    (local $block v128) (local $low v128) (local $high v128)
    (local $v0 i32) (local $v1 i32) (local $v2 i32) (local $v3 i32)
    (local $s0 v128) (local $s1 v128) (local $s2 v128) (local $s3 v128)
    (local.set $stop (i32.add (local.get $scores) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $queryStop (i32.add (local.get $query) (i32.shl (local.get $dimensions) (i32.const 1))))
    (block $done
      (loop $each
        (br_if $done (i32.ge_u (local.get $scores) (local.get $stop)))
        (local.set $v0 (local.get $vectors))
        (local.set $v1 (i32.add (local.get $v0) (local.get $dimensions)))
        (local.set $v2 (i32.add (local.get $v1) (local.get $dimensions)))
        (local.set $v3 (i32.add (local.get $v2) (local.get $dimensions)))
        (local.set $vectors (i32.add (local.get $v3) (local.get $dimensions)))
        (local.set $s0 (v128.const i32x4 0 0 0 0))
        (local.set $s1 (v128.const i32x4 0 0 0 0))
        (local.set $s2 (v128.const i32x4 0 0 0 0))
        (local.set $s3 (v128.const i32x4 0 0 0 0))
        (local.set $q (local.get $query))
        (loop $step
          (local.set $low (v128.load (local.get $q)))
          (local.set $high (v128.load offset=16 (local.get $q)))
          (local.set $block (v128.load (local.get $v0)))
          (local.set $v0 (i32.add (local.get $v0) (i32.const 16)))
          (local.set $s0 (i32x4.add (local.get $s0)
            (i32x4.add
              (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $block)) (local.get $low))
              (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $block)) (local.get $high)))))
          (local.set $block (v128.load (local.get $v1)))
          (local.set $v1 (i32.add (local.get $v1) (i32.const 16)))
          (local.set $s1 (i32x4.add (local.get $s1)
            (i32x4.add
              (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $block)) (local.get $low))
              (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $block)) (local.get $high)))))
          (local.set $block (v128.load (local.get $v2)))
          (local.set $v2 (i32.add (local.get $v2) (i32.const 16)))
          (local.set $s2 (i32x4.add (local.get $s2)
            (i32x4.add
              (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $block)) (local.get $low))
              (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $block)) (local.get $high)))))
          (local.set $block (v128.load (local.get $v3)))
          (local.set $v3 (i32.add (local.get $v3) (i32.const 16)))
          (local.set $s3 (i32x4.add (local.get $s3)
            (i32x4.add
              (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $block)) (local.get $low))
              (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $block)) (local.get $high)))))
          (local.set $q (i32.add (local.get $q) (i32.const 32)))
          (br_if $step (i32.lt_u (local.get $q) (local.get $queryStop))))
        ;; The sums of each vector's four lanes: first lanes 0 + 2 and 1 + 3, then both.
        (local.set $s0 (i32x4.add
          (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $s0) (local.get $s1))
          (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $s0) (local.get $s1))))
        (local.set $s2 (i32x4.add
          (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $s2) (local.get $s3))
          (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $s2) (local.get $s3))))
        (local.set $s0 (i32x4.add
          (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $s0) (local.get $s2))
          (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $s0) (local.get $s2))))
        (local.set $s0 (f32x4.mul (f32x4.convert_i32x4_s (local.get $s0)) (v128.load (local.get $scales))))
        (v128.store (local.get $scores) (local.get $s0))
        (if (v128.any_true (f32x4.gt (local.get $s0) (f32x4.splat (local.get $floor))))
          (then
            (i32.store (local.get $found) (local.get $four))
            (local.set $found (i32.add (local.get $found) (i32.const 4)))))
        (local.set $four (i32.add (local.get $four) (i32.const 1)))
        (local.set $scales (i32.add (local.get $scales) (i32.const 16)))
        (local.set $scores (i32.add (local.get $scores) (i32.const 16)))
        (br $each)))
    (local.get $found)))
