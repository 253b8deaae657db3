;; Dot products of one int8 query with many int8 vectors, 16 dimensions a step.
;; Memory: the query as int16 values at $query, vectors of $dimensions bytes side by side at $vectors;
;; the int32 result of vector i is stored at $results + 4 i. $dimensions is a multiple of 16.
(module
  (memory (export "memory") 1)
  (func (export "dotProducts")
    (param $query i32) (param $vectors i32) (param $count i32) (param $dimensions i32) (param $results i32)
    (local $stop i32) (local $queryStop i32) (local $q i32) (local $block v128) (local $sum v128)
    (local.set $stop (i32.add (local.get $results) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $queryStop (i32.add (local.get $query) (i32.shl (local.get $dimensions) (i32.const 1))))
    (block $done
      (loop $each
        (br_if $done (i32.ge_u (local.get $results) (local.get $stop)))
        (local.set $sum (v128.const i32x4 0 0 0 0))
        (local.set $q (local.get $query))
        (loop $step
          (local.set $block (v128.load (local.get $vectors)))
          (local.set $sum (i32x4.add (local.get $sum)
            (i32x4.add
              (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_s (local.get $block)) (v128.load (local.get $q)))
              (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_s (local.get $block)) (v128.load offset=16 (local.get $q))))))
          (local.set $vectors (i32.add (local.get $vectors) (i32.const 16)))
          (local.set $q (i32.add (local.get $q) (i32.const 32)))
          (br_if $step (i32.lt_u (local.get $q) (local.get $queryStop))))
        (i32.store (local.get $results)
          (i32.add
            (i32.add (i32x4.extract_lane 0 (local.get $sum)) (i32x4.extract_lane 1 (local.get $sum)))
            (i32.add (i32x4.extract_lane 2 (local.get $sum)) (i32x4.extract_lane 3 (local.get $sum)))))
        (local.set $results (i32.add (local.get $results) (i32.const 4)))
        (br $each)))))
